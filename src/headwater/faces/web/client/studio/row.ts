/** One line of the studio's table: what the document says of a video, read and written in one place. */
import { studio as texts, visibility as visibilities } from "../../texts/en.json";
import type { News, State, Video } from "../shared/api";
import { say } from "../shared/texts";
import { left } from "../shared/words";

export type Visibility = Video["visibility"];
export type SortKey = "title" | "state" | "visibility" | "added" | "space";
export const VISIBILITIES: Visibility[] = ["public", "unlisted", "private"];
const BUSY: State[] = ["uploading", "processing", "playable"];
const STATES: State[] = ["uploading", "processing", "playable", "ready", "failed"];

export class Row {
  constructor(readonly element: HTMLTableRowElement) {}

  private part<T extends HTMLElement = HTMLElement>(selector: string): T {
    return this.element.querySelector<T>(selector)!;
  }

  get id(): string {
    return this.element.dataset.video!;
  }

  get title(): string {
    return this.element.dataset.title!;
  }

  get description(): string {
    return this.part("[data-description]").textContent ?? "";
  }

  get state(): State {
    return this.element.dataset.state as State;
  }

  get visibility(): Visibility {
    return this.element.dataset.visibility as Visibility;
  }

  get version(): number {
    return Number(this.element.dataset.version);
  }

  get space(): number {
    return Number(this.element.dataset.space);
  }

  get box(): HTMLInputElement {
    return this.part<HTMLInputElement>(".pick input");
  }

  /** The value rows are sorted by under `key`. */
  order(key: SortKey): string | number {
    if (key === "title") return this.title.toLocaleLowerCase();
    if (key === "state") return STATES.indexOf(this.state);
    if (key === "visibility") return VISIBILITIES.indexOf(this.visibility);
    return Number(this.element.dataset[key]);
  }

  /** Show what an edit made of the video. */
  show(video: Pick<Video, "title" | "description" | "visibility" | "version">): void {
    const { dataset } = this.element;
    Object.assign(dataset, { title: video.title, visibility: video.visibility, version: String(video.version) });
    this.part("[data-title-link]").textContent = video.title;
    this.part("[data-description]").textContent = video.description;
    const select = this.element.querySelector<HTMLSelectElement>("[data-visibility-words] select");
    if (select) select.value = video.visibility;
    else this.part("[data-visibility-words]").textContent = visibilities[video.visibility];
  }

  /** Take over what a newer document says of an upload: the news know nothing of its bytes. */
  refresh(newer: HTMLTableRowElement): void {
    if (this.state !== "uploading" || newer.dataset.state !== "uploading") return;
    for (const selector of ["[data-state-words]", "progress"]) {
      this.part(selector).replaceWith(document.adoptNode(newer.querySelector(selector)!));
    }
  }

  /** Show how far the making is. */
  hear(news: News): void {
    const { dataset } = this.element;
    if (news.state === "uploading" && this.state === "uploading") return;
    Object.assign(dataset, { state: news.state, version: String(news.version) });
    const words = this.part("[data-state-words]");
    words.textContent = stateWords(news);
    words.classList.toggle("bad", news.state === "failed");
    const bar = this.part<HTMLProgressElement>("progress");
    bar.hidden = !BUSY.includes(news.state);
    if (news.state === "playable") bar.value = Math.floor(news.progress * 100);
    else if (news.state !== "uploading") bar.removeAttribute("value");
    const time = this.part("[data-left]");
    time.hidden = news.state !== "playable";
    time.textContent = left(news.ready_in_s);
    if (news.state !== "failed") this.element.querySelector("[data-act=retry]")?.closest("form")?.remove();
  }
}

function stateWords({ state, progress, failure, damage }: News): string {
  switch (state) {
    case "uploading":
      return texts.state_uploading;
    case "processing":
      return texts.state_processing;
    case "playable":
      return say(texts.state_playable, { percent: Math.floor(progress * 100) });
    case "failed":
      return say(texts.state_failed_words, { reason: failure?.reason ?? "" });
    case "ready":
      return damage ? say(texts.state_damage, { damage }) : texts.state_ready_words;
  }
}
