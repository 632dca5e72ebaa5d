/**
 * <headwater-player>: one element around a <video>, our controls and a playback engine.
 *
 * Without scripts the <video controls> inside it plays by itself where the browser can. Tests and
 * pages read `video`, `quality`, `qualities`, `chosen`, `state`, `preparing` and `trouble`.
 */
import { LitElement, type PropertyValues } from "lit";
import { player as texts } from "../../texts/en.json";
import { say } from "../shared/texts";
import { clock, moment } from "../shared/words";
import { type Engine, type Trouble, openEngine } from "./engine";
import { onKey } from "./keys";
import { readPosition, readSettings, writePosition, writeSettings } from "./memory";
import { styles } from "./styles";
import { controls } from "./controls";
import type { SeekBar } from "./seek";
import type { Menu } from "./menu";

const FADE_MS = 2000;
const CHIP_MS = 6000;
const SAVE_EVERY_S = 5;
export const SPEEDS = [0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2];

export type State = "idle" | "loading" | "ready" | "failed";

export class HeadwaterPlayer extends LitElement {
  static override styles = styles;
  static override properties = {
    videoId: { attribute: "video-id" },
    name: {},
    hls: {},
    dash: {},
    manifest: {},
    storyboard: {},
    duration: { type: Number },
    progress: { type: Number },
    autoplay: { type: Boolean },
    soundOnly: { type: Boolean, attribute: "sound-only" },
    state: { state: true },
    paused: { state: true },
    buffering: { state: true },
    preparing: { state: true },
    trouble: { state: true },
    shown: { state: true },
    chip: { state: true },
    news: { state: true },
    chosen: { state: true },
  };
  declare videoId: string;
  declare name: string;
  declare hls: string;
  declare dash: string;
  /** Which manifest plays where Media Source is there: "hls" (default) or "dash". */
  declare manifest: "hls" | "dash";
  declare storyboard: string;
  declare duration: number;
  /** The share of the video that exists in every quality, from its start. */
  declare progress: number;
  declare autoplay: boolean;
  /** There is no picture: something quiet takes its place, and the controls stay. */
  declare soundOnly: boolean;
  declare state: State;
  declare paused: boolean;
  declare buffering: boolean;
  /** The server is making what is asked for and told us to wait. */
  declare preparing: boolean;
  declare trouble: Trouble | null;
  declare shown: boolean;
  declare chip: string | null;
  declare news: string;
  /** The height somebody chose, null for Auto. */
  declare chosen: number | null;
  video!: HTMLVideoElement;
  engine: Engine | null = null;
  private connection = new AbortController();
  private fading = 0;
  private chipTimer = 0;
  private frame = 0;
  private savedAt = 0;
  private started = false;
  private renewed = false;

  constructor() {
    super();
    Object.assign(this, { videoId: "", name: "", hls: "", dash: "", manifest: "hls", storyboard: "" });
    Object.assign(this, { duration: 0, progress: 1, soundOnly: false });
    Object.assign(this, { autoplay: false, state: "idle", paused: true, buffering: false, preparing: false });
    Object.assign(this, { trouble: null, shown: true, chip: null, news: "", chosen: null });
  }

  /** The height that plays now, null until it is known. */
  get quality(): number | null {
    return this.engine?.playing()?.height ?? null;
  }

  /** The heights there are, lowest first. */
  get qualities(): number[] {
    return [...new Set(this.engine?.qualities().map(({ height }) => height) ?? [])];
  }

  override connectedCallback(): void {
    super.connectedCallback();
    const video = this.querySelector("video");
    if (!video) throw new Error("headwater-player needs a <video slot=media>");
    this.video = video;
    video.controls = false;
    video.removeAttribute("src");
    this.setAttribute("role", "region");
    this.setAttribute("aria-label", say(texts.label, { title: this.name }));
    this.listen();
    void this.start();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.savePosition();
    this.connection.abort();
    cancelAnimationFrame(this.frame);
    void this.engine?.destroy();
    this.engine = null;
  }

  private listen(): void {
    this.connection = new AbortController();
    const { signal } = this.connection;
    const on = (target: EventTarget, names: string, act: (event: Event) => void): void =>
      names.split(" ").forEach((name) => target.addEventListener(name, act, { signal }));
    on(this.video, "play pause ended", () => this.onPlayback());
    on(this.video, "waiting stalled seeking", () => this.onWaiting());
    on(this.video, "playing canplay seeked timeupdate", () => this.onFlowing());
    on(this.video, "timeupdate", () => this.savePosition(SAVE_EVERY_S));
    on(this.video, "progress seeked loadeddata", () => this.draw());
    on(this.video, "durationchange", () => this.onDuration());
    on(this.video, "volumechange ratechange", () => this.onSettings());
    on(this.video, "enterpictureinpicture leavepictureinpicture", () => this.requestUpdate());
    on(document, "fullscreenchange", () => this.requestUpdate());
    on(document, "keydown", (event) => onKey(this, event as KeyboardEvent) && this.wake());
    on(window, "pagehide", () => this.savePosition());
    on(this, "pointermove pointerdown focusin", () => this.wake());
    on(this, "pointerleave", () => this.fade(300));
  }

  private async start(at_s: number | null = null): Promise<void> {
    const { volume, muted, speed } = readSettings();
    Object.assign(this.video, { volume, muted, defaultPlaybackRate: speed, playbackRate: speed });
    this.state = "loading";
    const start_s = at_s ?? this.startTime();
    try {
      const dash = this.manifest === "dash" && this.dash !== "";
      this.engine = await openEngine(this.video, dash, {
        change: () => this.onTracks(),
        preparing: (yes) => this.onPreparing(yes),
        trouble: (kind) => this.fail(kind),
        warmUpTo: () => (this.progress >= 1 ? Infinity : this.progress * this.duration),
      });
      if (!this.isConnected) return void this.engine.destroy();
      const address = this.engine.kind === "native" || !dash ? this.hls : this.dash;
      await this.engine.load(new URL(address, location.href).href, start_s);
    } catch {
      this.fail(navigator.onLine ? "unsupported" : "network");
    }
    if (this.state !== "loading") return;
    this.state = "ready";
    this.onTracks();
    if (this.autoplay) this.video.play().catch(() => {}); // not allowed: the big button waits
  }

  /** `?t=` first, then where this browser stopped. */
  private startTime(): number | null {
    const asked = moment(new URLSearchParams(location.search).get("t"));
    if (asked !== null) return asked;
    const left = readPosition(this.videoId);
    if (left !== null) this.showChip(say(texts.resumed, { time: clock(left) }));
    return left;
  }

  override firstUpdated(): void {
    this.draw();
  }

  override updated(changed: PropertyValues<this>): void {
    if (changed.has("duration")) this.draw();
  }

  // What the video says

  private onPlayback(): void {
    this.paused = this.video.paused;
    if (!this.paused) this.started = true;
    if (this.video.ended) this.savePosition();
    this.wake();
    this.draw();
    cancelAnimationFrame(this.frame);
    if (!this.paused) this.follow();
  }

  /** Move the bar with every frame while it can be seen. */
  private follow = (): void => {
    if (this.shown) this.draw();
    this.frame = requestAnimationFrame(this.follow);
  };

  draw(): void {
    const bar = this.renderRoot?.querySelector<SeekBar>("headwater-seek");
    bar?.draw(this.video.currentTime, this.video.buffered);
    const time = this.renderRoot?.querySelector("#now");
    const now = clock(this.video.currentTime);
    if (time && time.textContent !== now) time.textContent = now;
  }

  private onWaiting(): void {
    this.buffering = this.video.readyState < 3; // HAVE_FUTURE_DATA
  }

  private onFlowing(): void {
    if (this.video.readyState < 3) return;
    this.buffering = false;
    if (this.preparing) this.onPreparing(false);
  }

  private onDuration(): void {
    if (Number.isFinite(this.video.duration)) this.duration = this.video.duration;
  }

  private onSettings(): void {
    const { volume, muted, playbackRate: speed } = this.video;
    writeSettings({ volume, muted, speed });
    this.requestUpdate();
  }

  private onTracks(): void {
    this.requestUpdate();
    this.dispatchEvent(new CustomEvent("headwater-quality", { detail: this.quality }));
  }

  private onPreparing(yes: boolean): void {
    // Reading ahead may wait as long as it likes; people hear of it only when the picture stands.
    this.preparing = yes && this.video.readyState < 3;
  }

  private fail(kind: Trouble): void {
    this.savePosition();
    if (kind === "gone" && this.started && !this.renewed) {
      this.renewed = true; // the video was made anew under other addresses: ask for those, once
      void this.renew();
      return;
    }
    this.trouble = kind;
    this.state = "failed";
  }

  // What people ask for

  toggle(): void {
    if (this.trouble) return;
    if (this.video.paused) void this.video.play().catch(() => {});
    else this.video.pause();
  }

  seek(time: number): void {
    this.video.currentTime = Math.min(Math.max(0, time), this.duration || 0);
    this.draw();
  }

  skip(seconds: number): void {
    this.seek(this.video.currentTime + seconds);
  }

  toggleMute(): void {
    this.video.muted = !this.video.muted;
  }

  changeVolume(by: number): void {
    this.video.muted = false;
    this.video.volume = Math.min(1, Math.max(0, this.video.volume + by));
  }

  setSpeed(speed: number): void {
    this.video.defaultPlaybackRate = speed;
    this.video.playbackRate = speed;
    this.news = `${texts.speed} ${speed}×`;
  }

  changeSpeed(steps: number): void {
    const at = SPEEDS.findIndex((speed) => speed >= this.video.playbackRate);
    const next = SPEEDS[Math.min(SPEEDS.length - 1, Math.max(0, at + steps))];
    if (next) this.setSpeed(next);
  }

  /** Stay on the quality of this height, or choose automatically again with null. */
  choose(height: number | null): void {
    this.chosen = height;
    this.engine?.choose(height);
  }

  toggleCaptions(): void {
    const all = this.engine?.captions() ?? [];
    const active = all.some((choice) => choice.active);
    if (all.length) this.chooseCaptions(active ? null : (all[0]?.id ?? null));
  }

  chooseCaptions(id: number | null): void {
    this.engine?.chooseCaptions(id);
    this.requestUpdate();
  }

  toggleFullscreen(): void {
    if (document.fullscreenElement === this) return void document.exitFullscreen();
    const video = this.video as HTMLVideoElement & { webkitEnterFullscreen?: () => void };
    if (this.requestFullscreen) void this.requestFullscreen().catch(() => {});
    else video.webkitEnterFullscreen?.();
  }

  togglePictureInPicture(): void {
    const leaving = document.pictureInPictureElement === this.video;
    void (leaving ? document.exitPictureInPicture() : this.video.requestPictureInPicture()).catch(() => {});
  }

  toggleTheatre(): void {
    this.dispatchEvent(new CustomEvent("headwater-theatre", { bubbles: true }));
    this.requestUpdate();
  }

  /** Go on after trouble from where it happened. */
  async retry(): Promise<void> {
    this.trouble = null;
    this.state = "loading";
    if (this.engine?.retry()) this.state = "ready";
    else await this.renew();
  }

  /** Start the engine again, with the manifest of now, where playback was. */
  private async renew(): Promise<void> {
    const { currentTime, paused } = this.video;
    this.trouble = null;
    const old = this.engine;
    this.engine = null;
    await old?.destroy();
    await this.start(currentTime);
    if (!paused) await this.video.play().catch(() => {});
  }

  startOver(): void {
    this.chip = null;
    this.seek(0);
  }

  // What shows and when it fades

  wake(): void {
    if (!this.shown) this.draw();
    this.shown = true;
    this.fade(FADE_MS);
  }

  private fade(after_ms: number): void {
    clearTimeout(this.fading);
    this.fading = window.setTimeout(() => {
      const menu = this.renderRoot.querySelector<Menu>("headwater-menu");
      const byKeyboard = this.shadowRoot?.activeElement?.matches(":focus-visible");
      this.shown = this.paused || this.soundOnly || !!menu?.open || !!byKeyboard;
    }, after_ms);
  }

  private showChip(words: string): void {
    this.chip = words;
    clearTimeout(this.chipTimer);
    this.chipTimer = window.setTimeout(() => {
      this.chip = null;
    }, CHIP_MS);
  }

  private savePosition(every_s = 0): void {
    const { currentTime } = this.video;
    if (!this.started || Math.abs(currentTime - this.savedAt) < every_s) return;
    this.savedAt = currentTime;
    writePosition(this.videoId, this.video.ended ? 0 : currentTime, this.duration);
  }

  override render() {
    return controls(this);
  }
}

customElements.define("headwater-player", HeadwaterPlayer);

declare global {
  interface HTMLElementTagNameMap {
    "headwater-player": HeadwaterPlayer;
  }
}
