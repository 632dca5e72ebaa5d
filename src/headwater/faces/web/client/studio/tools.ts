/** Above the table: the filters, or, while rows are picked, what can be done to all of them. */
import { html, render } from "lit";
import { studio as texts, visibility as visibilities } from "../../texts/en.json";
import { say } from "../shared/texts";
import { VISIBILITIES, type Visibility } from "./row";

export interface Filter {
  words: string;
  state: string;
}

export interface Bulk {
  count: number;
  show(visibility: Visibility): void;
  remove(): void;
  clear(): void;
}

const STATES = {
  all: texts.state_all,
  making: texts.state_making,
  ready: texts.state_ready,
  failed: texts.state_failed,
  deleted: texts.state_deleted,
};
const DELETED = "/studio?deleted"; // a page of its own: what is deleted is not in this table

export function drawTools(box: HTMLElement, filter: Filter, bulk: Bulk, choose: (filter: Filter) => void): void {
  box.hidden = false;
  const onWords = (event: Event): void => choose({ ...filter, words: (event.target as HTMLInputElement).value });
  const onState = (event: Event): void => {
    const select = event.target as HTMLSelectElement;
    if (select.value !== "deleted") return choose({ ...filter, state: select.value });
    select.value = filter.state; // what is chosen when one comes back
    location.assign(DELETED);
  };
  const onShow = (event: Event): void => {
    const select = event.target as HTMLSelectElement;
    if (select.value) bulk.show(select.value as Visibility);
    select.value = "";
  };
  render(
    html`
      <div class="filters" ?hidden=${bulk.count > 0}>
        <input class="input" type="search" aria-label=${texts.search} placeholder=${texts.search} .value=${filter.words} @input=${onWords} />
        <select class="input" aria-label=${texts.state_filter} @change=${onState}>
          ${Object.entries(STATES).map(([name, words]) => html`<option value=${name} ?selected=${name === filter.state}>${words}</option>`)}
        </select>
      </div>
      <div class="bulk" role="group" aria-label=${texts.bulk} ?hidden=${bulk.count === 0}>
        <b>${say(texts.selected, { n: bulk.count })}</b>
        <select class="input" aria-label=${texts.bulk_visibility} @change=${onShow}>
          <option value="">${texts.bulk_visibility}</option>
          ${VISIBILITIES.map((choice) => html`<option value=${choice}>${visibilities[choice]}</option>`)}
        </select>
        <button class="button bad" @click=${bulk.remove}>${texts.bulk_delete}</button>
        <button class="button plain" @click=${bulk.clear}>${texts.clear}</button>
      </div>
    `,
    box,
  );
}
