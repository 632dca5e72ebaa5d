/** The form that opens below a row: title, description and visibility, saved together. */
import { type TemplateResult, html, render } from "lit";
import { studio as texts, visibility as visibilities } from "../../texts/en.json";
import { ApiError, type Video, ask, videoPath } from "../shared/api";
import { say } from "../shared/texts";
import { type Row, VISIBILITIES } from "./row";

/** Why a change was not kept, as one sentence. */
export function reason(error: unknown): string {
  if (!(error instanceof ApiError)) return say(texts.not_saved, { reason: texts.offline });
  return error.status === 412 || error.status === 409 ? texts.stale : say(texts.not_saved, { reason: error.message });
}

export function change(row: Row, fields: Partial<Video>, ifVersion?: number): Promise<Video> {
  const headers: HeadersInit = ifVersion === undefined ? {} : { "if-match": `"${ifVersion}-0"` };
  return ask<Video>("PATCH", videoPath(row.id), fields, headers);
}

/** Open the editor of `row`; `done` runs once when it closes, with the saved video if there is one. */
export function openEditor(row: Row, done: (saved: Video | null) => void): void {
  const line = document.createElement("tr");
  line.className = "editor";
  const version = row.version;
  const close = (saved: Video | null): void => {
    line.remove();
    row.element.classList.remove("edited");
    done(saved);
  };
  const save = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const form = event.target as HTMLFormElement;
    const fields = Object.fromEntries(new FormData(form)) as unknown as Partial<Video>;
    form.inert = true;
    try {
      close(await change(row, fields, version));
    } catch (error) {
      form.inert = false;
      draw(reason(error));
    }
  };
  const onKey = (event: KeyboardEvent): void => {
    if (event.key === "Escape") close(null);
  };
  const draw = (problem: string): void => {
    render(view(row, problem, save, onKey, () => close(null)), line);
  };

  draw("");
  row.element.classList.add("edited");
  row.element.after(line);
  line.querySelector<HTMLInputElement>("[name=title]")!.select();
}

function view(
  row: Row,
  problem: string,
  save: (event: SubmitEvent) => void,
  onKey: (event: KeyboardEvent) => void,
  cancel: () => void,
): TemplateResult {
  return html`<td colspan="7">
    <form class="form" @submit=${save} @keydown=${onKey}>
      <div class="field">
        <label for="edit-title">${texts.title_label}</label>
        <input class="input" id="edit-title" name="title" required maxlength="200" value=${row.title} />
      </div>
      <div class="field">
        <label for="edit-description">${texts.description_label}</label>
        <textarea class="input" id="edit-description" name="description" rows="3" maxlength="10000" .defaultValue=${row.description}></textarea>
      </div>
      <div class="field">
        <label for="edit-visibility">${texts.visibility_label}</label>
        <select class="input" id="edit-visibility" name="visibility">
          ${VISIBILITIES.map((choice) => html`<option value=${choice} ?selected=${choice === row.visibility}>${visibilities[choice]}</option>`)}
        </select>
      </div>
      ${problem ? html`<p class="notice bad" role="alert">${problem}</p>` : ""}
      <div class="line">
        <button class="button main">${texts.save}</button>
        <button class="button plain" type="button" @click=${cancel}>${texts.cancel}</button>
      </div>
    </form>
  </td>`;
}
