/** <headwater-uploads>: the queue of files, and everything that happens on the upload page. */
import { LitElement, html, nothing } from "lit";
import { upload as texts } from "../../texts/en.json";
import { follow } from "../shared/api";
import { say } from "../shared/texts";
import { toast } from "../shared/toast";
import { card } from "./card";
import { isSameFile, readRecords } from "./records";
import { Sending } from "./sending";

const AT_ONCE = 2; // more would share the same line and make every one of them late
const UNDO_MS = 8000;

export class Uploads extends LitElement {
  static override properties = { items: { state: true }, dropping: { state: true }, news: { state: true } };
  declare items: Sending[];
  declare dropping: boolean;
  declare news: string;
  private depth = 0;

  constructor() {
    super();
    this.items = [];
    this.dropping = false;
    this.news = "";
  }

  /** Pages style what is inside: no shadow. */
  protected override createRenderRoot(): HTMLElement {
    this.replaceChildren();
    return this;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    document.addEventListener("dragenter", (event) => this.onDrag(event, 1));
    document.addEventListener("dragleave", (event) => this.onDrag(event, -1));
    document.addEventListener("dragover", (event) => hasFiles(event) && event.preventDefault());
    document.addEventListener("drop", (event) => this.onDrop(event));
    window.addEventListener("beforeunload", (event) => {
      if (this.items.some((item) => item.losesBytes)) event.preventDefault();
    });
    window.addEventListener("online", () => this.items.forEach((item) => void item.hurry()));
    follow("/videos/mine/events", (news) => this.items.find(({ video }) => video === news.id)?.hear(news));
    for (const record of readRecords()) {
      const item = Sending.ofRecord(record);
      this.add(item);
      void item.look();
    }
  }

  /** Queue `files`; one that an earlier page left unfinished goes on where it stopped. */
  take(files: Iterable<File>): void {
    for (const file of files) {
      if (file.size === 0) {
        toast(say(texts.empty_file, { name: file.name }));
        continue;
      }
      const left = this.items.find((item) => item.stage === "unfinished" && this.isFileOf(item, file));
      if (left) left.continueWith(file);
      else this.add(Sending.ofFile(file));
    }
    this.advance();
  }

  /** Continue `item` with the file somebody chose for it, if it is the same one. */
  takeFor(item: Sending, file: File): void {
    if (!this.isFileOf(item, file)) {
      item.problem = say(texts.unfinished_wrong, { name: item.name, size: String(item.size) });
      return this.requestUpdate();
    }
    item.problem = "";
    item.continueWith(file);
    this.advance();
  }

  private isFileOf(item: Sending, file: File): boolean {
    const record = readRecords().find(({ path }) => path === item.path);
    return record ? isSameFile(record, file) : item.name === file.name && item.size === file.size;
  }

  private add(item: Sending): void {
    item.addEventListener("change", () => this.requestUpdate());
    item.addEventListener("stage", () => this.onStage(item));
    this.items = [item, ...this.items];
  }

  private onStage(item: Sending): void {
    const said: Partial<Record<string, string>> = {
      playable: texts.playable,
      ready: texts.ready,
      processing: texts.processing,
      failed: say(texts.failed, { reason: item.problem }),
      refused: say(texts.refused, { reason: item.problem }),
    };
    const state = said[item.stage];
    if (state) this.news = say(texts.done_announce, { name: item.title, state });
    this.advance();
  }

  private advance(): void {
    // Starting one tells its stage, which comes back here: so one at a time, looked at anew.
    const busy = this.items.filter(({ stage }) => stage === "sending" || stage === "retrying").length;
    const first = this.items.findLast(({ stage }) => stage === "waiting"); // first come, first sent
    if (!first || busy >= AT_ONCE) return;
    first.start();
    this.advance();
  }

  pause(item: Sending): void {
    void item.pause();
  }

  resume(item: Sending): void {
    item.continueWith(item.file!);
    this.advance();
  }

  /** Take the card away at once; the bytes go when the time to undo is over. */
  takeAway(item: Sending): void {
    const at = this.items.indexOf(item);
    if (item.losesBytes) void item.pause();
    this.items = this.items.filter((other) => other !== item);
    const gone = setTimeout(() => void item.discard(), UNDO_MS);
    const undo = (): void => {
      clearTimeout(gone);
      this.items = this.items.toSpliced(at, 0, item);
    };
    toast(say(texts.removed, { name: item.title }), { label: texts.undo, act: undo }, UNDO_MS - 500);
  }

  private onDrag(event: DragEvent, step: 1 | -1): void {
    if (!hasFiles(event)) return;
    this.depth = Math.max(0, this.depth + step);
    this.dropping = this.depth > 0;
  }

  private onDrop(event: DragEvent): void {
    if (!hasFiles(event)) return;
    event.preventDefault();
    this.depth = 0;
    this.dropping = false;
    const items = [...event.dataTransfer!.items].filter(({ kind }) => kind === "file");
    const folders = items.filter((item) => item.webkitGetAsEntry?.()?.isDirectory);
    if (folders.length) toast(texts.not_a_file);
    const isFile = (item: DataTransferItem): boolean => !folders.includes(item);
    this.take(items.filter(isFile).flatMap((item) => item.getAsFile() ?? []));
  }

  private onChoose(event: Event): void {
    const input = event.target as HTMLInputElement;
    this.take([...(input.files ?? [])]);
    input.value = ""; // the same file can be chosen again
  }

  override render() {
    const has = this.items.length > 0;
    return html`
      <label class="drop ${has ? "low" : ""}">
        <input class="unseen" type="file" multiple accept="video/*,audio/*,.mkv,.ts,.mts,.m2ts,.vob,.avi,.mpg" @change=${this.onChoose} />
        <b>${texts.drop}</b>
        <span class="quiet">${texts.or}</span>
        <span class="button main">${texts.choose}</span>
        <span class="small quiet hint">${texts.hint}</span>
      </label>
      ${has ? html`<ul class="cards" aria-label=${texts.list}>${this.items.map((item) => card(this, item))}</ul>` : nothing}
      <div class="veil" ?hidden=${!this.dropping} aria-hidden="true"><b>${texts.dropping}</b></div>
      <p class="unseen" role="status">${this.news}</p>
    `;
  }
}

function hasFiles(event: DragEvent): boolean {
  return event.dataTransfer?.types.includes("Files") ?? false;
}

customElements.define("headwater-uploads", Uploads);
