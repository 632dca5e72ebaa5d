/**
 * <headwater-player>: one element around a <video>, our controls and a playback engine.
 *
 * Without scripts the <video controls> inside it plays by itself where the browser can. Tests and
 * pages read `video`, `quality`, `qualities`, `chosen`, `state`, `preparing` and `trouble`.
 */
import type { PropertyValues } from "lit";
import { player as texts } from "../../texts/en.json";
import { say } from "../shared/texts";
import { clock, moment } from "../shared/words";
import { Ahead } from "./ahead";
import { type Trouble, hasMediaSource, openEngine } from "./engine";
import { recallCaptions, speedOf } from "./acts";
import { Fading } from "./fading";
import { onKey } from "./keys";
import { Place, readSettings, writeSettings } from "./memory";
import type { Wish } from "./start";
import { PlayerState } from "./state";
import { styles } from "./styles";
import { controls } from "./controls";
import type { SeekBar } from "./seek";
import type { Menu } from "./menu";

const CHIP_MS = 6000;
const SAVE_EVERY_S = 5;
const RENEW_AGAIN_MS = 30_000; // a manifest that names what is gone is not asked for in a loop

export class HeadwaterPlayer extends PlayerState {
  static override styles = styles;
  private connection = new AbortController();
  /** The language that the captions button turns on again. */
  captionsLanguage = "";
  private readonly place = new Place(this);
  readonly fading = new Fading(this, () => this.isInUse());
  private chipTimer = 0;
  private frame = 0;
  private renewedAt = -Infinity;

  override connectedCallback(): void {
    super.connectedCallback();
    const video = this.querySelector("video");
    if (!video) throw new Error("headwater-player needs a <video slot=media>");
    this.video = video;
    video.controls = false;
    video.removeAttribute("src");
    this.setAttribute("role", "region");
    this.tabIndex = -1; // a click on the picture is in the player, so its keys are
    this.setAttribute("aria-label", say(texts.label, { title: this.name }));
    this.listen();
    void this.start();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.place.save();
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
    on(this.video, "timeupdate", () => this.place.save(SAVE_EVERY_S));
    on(this.video, "progress seeked loadeddata", () => this.draw());
    on(this.video, "durationchange", () => this.onDuration());
    on(this.video, "volumechange ratechange", () => this.onSettings());
    on(this.video, "enterpictureinpicture leavepictureinpicture", () => this.requestUpdate());
    on(document, "fullscreenchange", () => this.requestUpdate());
    on(document, "keydown", (event) => onKey(this, event as KeyboardEvent) && this.fading.wake());
    on(window, "pagehide", () => this.place.save());
  }

  private async start(at_s: number | null = null): Promise<void> {
    const { volume, muted, speed } = readSettings();
    Object.assign(this.video, { volume, muted, defaultPlaybackRate: speed, playbackRate: speed });
    this.state = "loading";
    const start_s = at_s ?? this.startTime();
    try {
      const dash = this.manifest === "dash" && this.dash !== "";
      const ahead = new Ahead();
      if (!dash && hasMediaSource()) ahead.start(new URL(this.hls, location.href).href, this.wish(start_s));
      await this.updateComplete; // the captions' place is drawn
      const captions = this.renderRoot.querySelector<HTMLElement>(".captions")!;
      this.engine = await openEngine({ video: this.video, captions }, dash, {
        change: () => this.onTracks(),
        preparing: (yes) => this.onPreparing(yes),
        trouble: (kind) => this.fail(kind),
        making: () => this,
      }, ahead);
      if (!this.isConnected) return void this.engine.destroy();
      const address = this.engine.kind === "native" || !dash ? this.hls : this.dash;
      await this.engine.load(new URL(address, location.href).href, start_s);
    } catch {
      this.fail(navigator.onLine ? "unsupported" : "network");
    }
    if (this.state !== "loading") return;
    this.state = "ready";
    if (this.chosen !== null) this.engine?.choose(this.chosen); // before it had to start again
    recallCaptions(this);
    this.onTracks();
    if (this.autoplay) this.video.play().catch(() => {}); // not allowed: the big button waits
  }

  private wish(start_s: number | null): Wish {
    return { height_px: this.clientHeight * devicePixelRatio, start_s, making: this };
  }

  /** Where to start: `?t=` first, then where this browser stopped, which a chip says. */
  private startTime(): number | null {
    const asked = moment(new URLSearchParams(location.search).get("t"));
    const left = asked === null ? this.place.left() : null;
    if (left !== null) this.showChip(say(texts.resumed, { time: clock(left) }));
    return asked ?? left;
  }

  override firstUpdated(): void {
    this.draw();
  }

  override updated(changed: PropertyValues<this>): void {
    if (changed.has("duration") || this.fading.shown) this.draw();
  }

  // What the video says

  private onPlayback(): void {
    this.paused = this.video.paused;
    if (!this.paused) this.place.started = true;
    if (this.video.ended) this.place.save();
    this.fading.wake();
    this.draw();
    cancelAnimationFrame(this.frame);
    if (!this.paused) this.follow();
  }

  /** Move the bar with every frame while it can be seen. */
  private follow = (): void => {
    if (this.fading.shown) this.draw();
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
    const { volume, muted } = this.video;
    writeSettings({ volume, muted, speed: speedOf(this) });
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
    this.place.save();
    const now = performance.now();
    if (kind === "gone" && this.place.started && now - this.renewedAt > RENEW_AGAIN_MS) {
      this.renewedAt = now; // the video was made anew under other addresses: ask for those, once
      return void this.renew();
    }
    this.trouble = kind;
    this.state = "failed";
    this.video.pause();
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

  /** Stay on the quality of this height, or choose automatically again with null. */
  choose(height: number | null): void {
    this.chosen = height;
    this.engine?.choose(height);
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
    const playing = !paused || this.trouble !== null;
    this.trouble = null;
    const old = this.engine;
    this.engine = null;
    await old?.destroy();
    await this.start(currentTime);
    if (playing && !this.trouble) await this.video.play().catch(() => {});
  }

  startOver(): void {
    this.chip = null;
    this.seek(0);
  }

  private showChip(words: string): void {
    this.chip = words;
    clearTimeout(this.chipTimer);
    this.chipTimer = window.setTimeout(() => {
      this.chip = null;
    }, CHIP_MS);
  }

  /** The controls stay: somebody uses them, or there is no picture to see instead. */
  private isInUse(): boolean {
    const menu = this.renderRoot.querySelector<Menu>("headwater-menu");
    const byKeyboard = this.shadowRoot?.activeElement?.matches(":focus-visible");
    const byMouse = matchMedia("(hover: hover)").matches && this.renderRoot.querySelector(".bar:hover");
    return this.paused || this.soundOnly || !!menu?.open || !!byKeyboard || !!byMouse;
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
