/**
 * <headwater-studio>: makes the server's table sort, filter, edit in place and act on many at once.
 * Without scripts the same table has links and forms that do all of this one by one.
 */
import { studio as texts, visibility as visibilities } from "../../texts/en.json";
import { follow, ask, videoPath, type News } from "../shared/api";
import { say } from "../shared/texts";
import { toast } from "../shared/toast";
import { change, openEditor, reason } from "./editor";
import { type Bulk, type Filter, drawTools } from "./tools";
import { Row, type SortKey, VISIBILITIES, type Visibility } from "./row";

export const UNDO_MS = 10_000;
const REFRESH_MS = 2000;

class Studio extends HTMLElement {
  private rows: Row[] = [];
  private sort: { key: SortKey; up: boolean } = { key: "added", up: false };
  private filter: Filter = { words: "", state: "all" };

  connectedCallback(): void {
    this.querySelectorAll<HTMLElement>("[data-script]").forEach((part) => (part.hidden = false));
    this.adopt(this.querySelectorAll<HTMLTableRowElement>("tbody tr"));
    this.querySelectorAll<HTMLElement>("th[data-sort]").forEach((head) => this.makeSortable(head));
    this.addEventListener("click", (event) => this.onClick(event));
    this.querySelector("#all")?.addEventListener("change", (event) => this.pickAll(event.target as HTMLInputElement));
    follow("/videos/mine/events", (news) => this.hear(news));
    setInterval(() => void this.refreshUploads(), REFRESH_MS);
    this.draw();
  }

  /** See how far uploads are, wherever their bytes come from, while somebody looks. */
  private async refreshUploads(): Promise<void> {
    const uploading = this.rows.filter(({ state }) => state === "uploading");
    if (!uploading.length || document.hidden) return;
    const response = await fetch(location.href).catch(() => null);
    if (!response?.ok) return;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    for (const row of uploading) {
      const newer = page.querySelector<HTMLTableRowElement>(`tr[data-video="${row.id}"]`);
      if (newer) row.refresh(newer);
    }
  }

  private get body(): HTMLElement {
    return this.querySelector("tbody")!;
  }

  private say(words: string): void {
    this.querySelector("#news")!.textContent = words;
  }

  private adopt(elements: Iterable<HTMLTableRowElement>): void {
    for (const element of elements) {
      const row = new Row(element);
      element.querySelectorAll<HTMLElement>("[data-script]").forEach((part) => (part.hidden = false));
      row.box.addEventListener("change", () => this.draw());
      this.makeVisibilityEditable(row);
      this.rows.push(row);
    }
  }

  private makeVisibilityEditable(row: Row): void {
    const cell = row.element.querySelector<HTMLElement>("[data-visibility-words]")!;
    const select = document.createElement("select");
    select.className = "bare";
    select.setAttribute("aria-label", say(texts.visibility_named, { title: row.title }));
    for (const choice of VISIBILITIES) select.add(new Option(visibilities[choice], choice, false, choice === row.visibility));
    select.addEventListener("change", () => void this.setVisibility([row], select.value as Visibility));
    cell.replaceChildren(select);
  }

  private makeSortable(head: HTMLElement): void {
    const button = document.createElement("button");
    button.className = "sort";
    button.append(...head.childNodes);
    button.addEventListener("click", () => {
      const key = head.dataset.sort as SortKey;
      const up = this.sort.key === key ? !this.sort.up : key === "title" || key === "state";
      this.sort = { key, up };
      this.arrange();
    });
    head.append(button);
  }

  private arrange(): void {
    const { key, up } = this.sort;
    const sign = up ? 1 : -1;
    const compare = (a: Row, b: Row): number => {
      const [x, y] = [a.order(key), b.order(key)];
      return sign * (typeof x === "string" ? x.localeCompare(y as string) : x - (y as number));
    };
    this.querySelectorAll("tr.editor").forEach((line) => line.remove());
    this.body.append(...this.rows.toSorted(compare).map(({ element }) => element));
    this.querySelectorAll<HTMLElement>("th[data-sort]").forEach((head) => {
      if (head.dataset.sort === key) head.setAttribute("aria-sort", up ? "ascending" : "descending");
      else head.removeAttribute("aria-sort");
    });
  }

  private fits(row: Row): boolean {
    const { words, state } = this.filter;
    const groups: Record<string, string[]> = {
      making: ["uploading", "processing", "playable"],
      ready: ["playable", "ready"],
      failed: ["failed"],
    };
    const inGroup = state === "all" || groups[state]!.includes(row.state);
    return inGroup && row.title.toLocaleLowerCase().includes(words.toLocaleLowerCase());
  }

  private get shown(): Row[] {
    return this.rows.filter(({ element }) => !element.hidden);
  }

  private get picked(): Row[] {
    return this.shown.filter(({ box }) => box.checked);
  }

  private draw(): void {
    for (const row of this.rows) row.element.hidden = !this.fits(row);
    const { shown, picked } = this;
    this.querySelector<HTMLElement>("#none")!.hidden = shown.length > 0;
    const all = this.querySelector<HTMLInputElement>("#all")!;
    all.checked = picked.length > 0 && picked.length === shown.length;
    all.indeterminate = picked.length > 0 && picked.length < shown.length;
    const bulk: Bulk = {
      count: picked.length,
      show: (visibility) => void this.setVisibility(this.picked, visibility),
      remove: () => void this.delete(this.picked),
      clear: () => this.pickNone(),
    };
    drawTools(this.querySelector("[data-tools]")!, this.filter, bulk, (filter) => {
      this.filter = filter;
      this.draw();
      this.say(say(texts.shown, { n: this.shown.length }));
    });
  }

  private pickAll(all: HTMLInputElement): void {
    for (const { box } of this.shown) box.checked = all.checked;
    this.draw();
  }

  private pickNone(): void {
    for (const { box } of this.rows) box.checked = false;
    this.draw();
  }

  private onClick(event: MouseEvent): void {
    const act = (event.target as Element).closest<HTMLElement>("[data-act]");
    const line = act?.closest<HTMLTableRowElement>("tr[data-video]");
    const row = this.rows.find(({ element }) => element === line);
    if (!act || !row || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    if (act.dataset.act === "edit") this.edit(row, act);
    else if (act.dataset.act === "delete") void this.delete([row]);
    else void this.retry(row, act as HTMLButtonElement);
  }

  private edit(row: Row, from: HTMLElement): void {
    if (row.element.classList.contains("edited")) return;
    openEditor(row, (saved) => {
      if (saved) {
        row.show(saved);
        this.say(texts.saved);
      }
      from.focus();
    });
  }

  private async setVisibility(rows: Row[], visibility: Visibility): Promise<void> {
    const done = await Promise.allSettled(rows.map(async (row) => row.show(await change(row, { visibility }))));
    const failed = done.find((one) => one.status === "rejected");
    if (failed) {
      toast(reason(failed.reason));
      for (const row of rows) row.element.querySelector<HTMLSelectElement>("select.bare")!.value = row.visibility;
    } else toast(rows.length === 1 ? texts.saved : say(texts.bulk_saved, { n: rows.length }));
    this.pickNone();
  }

  /** Take the rows away at once, and offer the way back while the server keeps them. */
  private async delete(rows: Row[]): Promise<void> {
    const next = rows.at(-1)?.element.nextElementSibling ?? rows[0]?.element.previousElementSibling;
    const done = await Promise.allSettled(rows.map((row) => ask("DELETE", videoPath(row.id))));
    const gone = rows.filter((_, at) => done[at]!.status === "fulfilled");
    for (const row of gone) this.drop(row);
    const failed = done.find((one) => one.status === "rejected");
    if (failed) toast(reason(failed.reason));
    if (!gone.length) return;
    next?.querySelector<HTMLElement>("[data-act]")?.focus();
    const words = gone.length === 1 ? say(texts.deleted, { title: gone[0]!.title }) : say(texts.deleted_many, { n: gone.length });
    toast(words, { label: texts.undo, act: () => void this.restore(gone) }, UNDO_MS);
    this.draw();
  }

  private drop(row: Row): void {
    row.element.remove();
    row.box.checked = false;
    this.rows = this.rows.filter((other) => other !== row);
  }

  private async restore(rows: Row[]): Promise<void> {
    const done = await Promise.allSettled(rows.map((row) => ask("POST", `${videoPath(row.id)}/restore`)));
    const back = rows.filter((_, at) => done[at]!.status === "fulfilled");
    this.rows.push(...back);
    this.arrange();
    this.draw();
    const failed = done.find((one) => one.status === "rejected");
    if (failed) toast(reason(failed.reason));
    else this.say(texts.undone);
    back[0]?.element.querySelector<HTMLElement>("[data-act]")?.focus();
  }

  private async retry(row: Row, button: HTMLButtonElement): Promise<void> {
    button.disabled = true;
    try {
      await ask("POST", `${videoPath(row.id)}/retry`);
      this.say(texts.trying);
    } catch (error) {
      button.disabled = false;
      toast(reason(error));
    }
  }

  private hear(news: News): void {
    const row = this.rows.find(({ id }) => id === news.id);
    if (!row) return;
    if (news.deleted_at !== null) this.drop(row);
    else row.hear(news);
    this.draw();
  }
}

customElements.define("headwater-studio", Studio);
