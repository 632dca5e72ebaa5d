/** The seek bar: played, buffered, where the pointer is, and the picture of that moment. */
import { LitElement, css, html } from "lit";
import { player as texts } from "../../texts/en.json";
import { say } from "../shared/texts";
import { clock } from "../shared/words";
import { paint, storyboard, tileAt } from "./storyboard";

const PREVIEW_PX = 176;

export class SeekBar extends LitElement {
  static override properties = {
    duration: { type: Number },
    time: { type: Number },
    storyboard: { type: String },
  };
  declare duration: number;
  declare time: number;
  declare storyboard: string;
  private dragging = false;

  constructor() {
    super();
    this.duration = 0;
    this.time = 0;
    this.storyboard = "";
  }

  /** Draw where playback is and what is buffered around it; called for every frame that shows. */
  draw(time: number, buffered: TimeRanges): void {
    if (this.dragging) return;
    this.time = time;
    let [from, to] = [time, time];
    for (let i = 0; i < buffered.length; i += 1) {
      if (buffered.start(i) <= time + 0.1 && buffered.end(i) >= time) [from, to] = [buffered.start(i), buffered.end(i)];
    }
    this.style.setProperty("--from", this.share(from));
    this.style.setProperty("--to", this.share(to));
    this.style.setProperty("--played", this.share(time));
  }

  private share(time: number): string {
    return this.duration > 0 ? String(Math.min(1, Math.max(0, time / this.duration))) : "0";
  }

  override render() {
    const { duration, time } = this;
    const spoken = say(texts.seek_value, { time: clock(time), length: clock(duration) });
    return html`
      <div class="rail"><div class="buffered"></div><div class="played"></div></div>
      <div class="thumb"></div>
      <input type="range" min="0" max=${duration || 1} step="any" .value=${String(time)} aria-label=${texts.seek}
        aria-valuetext=${spoken} @input=${this.slide} @change=${this.drop} @keydown=${this.keep}
        @pointermove=${this.look} @pointerleave=${this.leave} @pointercancel=${this.leave} />
      <div class="preview" aria-hidden="true"><div class="tile"></div><div class="when"></div></div>
    `;
  }

  private get slider(): HTMLInputElement {
    return this.renderRoot.querySelector("input")!;
  }

  private slide(): void {
    this.dragging = true;
    this.time = this.slider.valueAsNumber;
    this.style.setProperty("--played", this.share(this.time));
    void this.preview(this.time);
    this.tell("seeking-to");
  }

  private drop(): void {
    this.dragging = false;
    this.leave();
    this.tell("seek-to");
  }

  /** Arrows, Home, End and digits are the player's, here as everywhere in it; pages mean nothing. */
  private keep(event: KeyboardEvent): void {
    if (event.key.startsWith("Page")) event.preventDefault();
  }

  private look(event: PointerEvent): void {
    const box = this.getBoundingClientRect();
    const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    void this.preview(share * this.duration);
  }

  private leave(): void {
    if (!this.dragging) this.classList.remove("looking");
  }

  private async preview(time: number): Promise<void> {
    if (!this.duration) return;
    this.classList.add("looking");
    const box = this.renderRoot.querySelector<HTMLElement>(".preview")!;
    const tile = this.renderRoot.querySelector<HTMLElement>(".tile")!;
    this.renderRoot.querySelector(".when")!.textContent = clock(time);
    const tiles = this.storyboard ? await storyboard(this.storyboard) : [];
    const found = tileAt(tiles, time);
    tile.hidden = !found;
    if (found) paint(tile, found, Math.min(PREVIEW_PX, (PREVIEW_PX * found.width) / found.height));
    const half = box.offsetWidth / 2;
    const at = (time / this.duration) * this.offsetWidth;
    box.style.left = `${Math.min(this.offsetWidth - half, Math.max(half, at))}px`;
    this.style.setProperty("--look", this.share(time));
  }

  private tell(name: string): void {
    this.dispatchEvent(new CustomEvent(name, { detail: this.time }));
  }

  static override styles = css`
    :host {
      position: relative;
      display: block;
      height: 24px;
      margin: 0 4px;
    }
    .rail {
      position: absolute;
      inset: 10px 0;
      border-radius: 2px;
      overflow: hidden;
      background: rgb(255 255 255 / 24%);
    }
    .rail div {
      position: absolute;
      inset: 0;
      transform-origin: 0 50%;
    }
    .buffered {
      background: rgb(255 255 255 / 34%);
      transform: translateX(calc(var(--from, 0) * 100%)) scaleX(calc(var(--to, 0) - var(--from, 0)));
    }
    .played {
      background: var(--accent);
      transform: scaleX(var(--played, 0));
    }
    .thumb {
      position: absolute;
      top: 5px;
      left: calc(var(--played, 0) * 100%);
      width: 14px;
      height: 14px;
      margin-left: -7px;
      border-radius: 50%;
      background: var(--accent);
      transform: scale(0);
      transition: transform 120ms;
    }
    :host(:hover) .thumb,
    :host(:focus-within) .thumb {
      transform: scale(1);
    }
    @media (hover: none) {
      .thumb {
        transform: scale(1);
      }
    }
    input {
      position: absolute;
      inset: 0;
      width: 100%;
      height: 100%;
      margin: 0;
      opacity: 0;
      cursor: pointer;
    }
    input:focus-visible ~ .preview {
      outline: none;
    }
    :host(:focus-within) .rail {
      outline: 2px solid transparent;
    }
    :host(:has(input:focus-visible)) {
      outline: 2px solid var(--accent);
      outline-offset: 2px;
      border-radius: 6px;
    }
    .preview {
      position: absolute;
      bottom: 32px;
      left: 0;
      display: none;
      transform: translateX(-50%);
      justify-items: center;
      gap: 4px;
      pointer-events: none;
    }
    :host(.looking) .preview {
      display: grid;
    }
    .tile {
      position: relative;
      overflow: hidden;
      border-radius: 6px;
      border: 2px solid #fff;
      background: #000;
      box-sizing: content-box;
    }
    .tile[hidden] {
      display: none;
    }
    .when {
      padding: 2px 8px;
      border-radius: 4px;
      background: rgb(14 17 19 / 90%);
      font-weight: 600;
      font-variant-numeric: tabular-nums;
    }
    @media (prefers-reduced-motion: reduce) {
      .thumb {
        transition: none;
      }
    }
  `;
}

customElements.define("headwater-seek", SeekBar);
