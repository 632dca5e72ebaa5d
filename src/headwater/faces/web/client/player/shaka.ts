/** Playback by Shaka over Media Source: adaptive, patient, and on what is there already. */
import type shaka from "shaka-player/dist/shaka-player.hls-es2021.js";
import type { Choice, Engine, News, Quality, Screen, Trouble } from "./engine";
import type { Ahead } from "./ahead";
import { UNKNOWN_BPS, lineBps } from "./line";
import { AHEAD_S, SEGMENT_S } from "./making";
import { writeSettings } from "./memory";
import { patientScheme } from "./network";
import { warmFirst } from "./warm";

export type Library = typeof shaka;

export class ShakaEngine implements Engine {
  readonly kind = "shaka";
  private readonly player: shaka.Player;
  private waits = 0;

  constructor(
    library: Library,
    private readonly screen: Screen,
    private readonly news: News,
    private readonly ahead: Ahead,
  ) {
    const { NetworkingEngine } = library.net;
    const scheme = patientScheme(library, (yes) => this.wait(yes), ahead);
    for (const name of ["http", "https"]) {
      NetworkingEngine.registerScheme(name, scheme, NetworkingEngine.PluginPriority.APPLICATION, true);
    }
    this.player = new library.Player();
    this.player.setVideoContainer(screen.captions);
    this.player.configure(CONFIGURATION);
    this.player.configure("abr.defaultBandwidthEstimate", lineBps() ?? UNKNOWN_BPS);
    const next = { until_s: () => this.nextUntil(), making: () => news.making(), first: () => this.first() };
    this.player.configure("abrFactory", warmFirst(library, next));
    for (const name of ["trackschanged", "adaptation", "variantchanged", "textchanged", "loaded"]) {
      this.player.addEventListener(name, () => this.news.change());
    }
    this.player.addEventListener("segmentappended", () => this.rememberLine());
    this.player.addEventListener("error", (event) => {
      const error = (event as unknown as { detail: shaka.util.Error }).detail;
      if (error.severity === 2) this.news.trouble(troubleOf(error));
    });
  }

  attach(): Promise<void> {
    return this.player.attach(this.screen.video);
  }

  async load(address: string, start_s: number | null): Promise<void> {
    try {
      await this.ahead.decided;
      await this.player.load(address, start_s);
      await Promise.all(this.tracksBeside().map((track) => this.add(track)));
    } catch (error) {
      if ((error as shaka.util.Error).code !== 7000) this.news.trouble(troubleOf(error)); // LOAD_INTERRUPTED
    }
  }

  qualities(): Quality[] {
    const tracks = this.player.getVideoTracks().map(asQuality);
    return tracks.sort((a, b) => a.height - b.height || a.bandwidth - b.bandwidth);
  }

  playing(): Quality | null {
    const active = this.player.getVideoTracks().findIndex((track) => track.active);
    return active < 0 ? null : asQuality(this.player.getVideoTracks()[active]!, active);
  }

  choose(height: number | null): void {
    this.player.configure("abr.enabled", height === null);
    if (height === null) return;
    const matching = this.qualities().filter((quality) => quality.height === height);
    const best = matching.at(-1);
    const track = best && this.player.getVideoTracks()[best.id];
    // What is buffered beyond two seconds is thrown away, so that the change is seen soon.
    if (track) this.player.selectVideoTrack(track, true, 2);
  }

  audio(): Choice[] {
    return this.player.getAudioTracks().map((track, id) => ({
      id,
      label: track.label ?? "",
      language: track.language,
      active: track.active,
    }));
  }

  chooseAudio(id: number): void {
    const track = this.player.getAudioTracks()[id];
    if (track) this.player.selectAudioTrack(track);
  }

  /** The page's own `<track>` elements, which the browser would draw below our controls. */
  private tracksBeside(): HTMLTrackElement[] {
    return [...this.screen.video.querySelectorAll<HTMLTrackElement>("track[src]")].filter(({ kind }) =>
      ["captions", "subtitles"].includes(kind),
    );
  }

  private async add({ src, srclang, kind, label, track }: HTMLTrackElement): Promise<void> {
    track.mode = "disabled";
    const adding = this.player.addTextTrackAsync(src, srclang || "und", kind, "text/vtt", undefined, label);
    await adding.catch(() => {}); // captions that are not there are no reason not to play
  }

  captions(): Choice[] {
    return this.player.getTextTracks().map((track, id) => ({
      id,
      label: track.label ?? "",
      language: track.language,
      active: track.active,
    }));
  }

  chooseCaptions(id: number | null): void {
    this.player.selectTextTrack(id === null ? null : this.player.getTextTracks()[id]);
  }

  retry(): boolean {
    return this.player.retryStreaming(0.1);
  }

  destroy(): Promise<void> {
    return this.player.destroy();
  }

  private first(): string | null {
    return this.screen.video.buffered.length ? null : this.ahead.first;
  }

  /** Up to where the video plays with what is fetched next. */
  private nextUntil(): number {
    const { buffered, currentTime } = this.screen.video;
    const end = buffered.length ? buffered.end(buffered.length - 1) : currentTime;
    return Math.max(end, currentTime) + AHEAD_S;
  }

  private rememberLine(): void {
    const { estimatedBandwidth: line_bps } = this.player.getStats();
    if (Number.isFinite(line_bps)) writeSettings({ line_bps: Math.round(line_bps) });
  }

  private wait(yes: boolean): void {
    this.waits = yes ? this.waits + 1 : 0;
    this.news.preparing(this.waits > 0);
  }
}

const CONFIGURATION = {
  abr: {
    useNetworkInformation: false,
    cacheLoadThreshold: 1, // immutable segments are never asked for twice, so fast means fast
    restrictToElementSize: true,
    switchInterval: SEGMENT_S,
  },
  manifest: { retryParameters: { maxAttempts: 6, baseDelay: 500, timeout: 30_000, connectionTimeout: 20_000 } },
  streaming: {
    bufferingGoal: 24,
    bufferBehind: 60,
    ignoreTextStreamFailures: true,
    rebufferingGoal: 0.5,
    loadTimeout: 0,
    // A missing segment is held up to 8 s and then retried as told, so only silence counts as failure.
    retryParameters: {
      maxAttempts: 8,
      baseDelay: 500,
      backoffFactor: 1.6,
      fuzzFactor: 0.4,
      timeout: 0,
      stallTimeout: 15_000,
      connectionTimeout: 0,
    },
  },
};

function asQuality(track: shaka.extern.VideoTrack, id: number): Quality {
  const height = Math.min(track.width ?? 0, track.height ?? 0) || (track.height ?? 0);
  return { id, height, bandwidth: track.bandwidth };
}

function troubleOf(error: unknown): Trouble {
  const { code, category, data } = error as shaka.util.Error & { data: unknown[] };
  if (category === 1) {
    const status = code === 1001 ? Number(data[1]) : 0; // BAD_HTTP_STATUS
    if (status === 401 || status === 403) return "login";
    return status === 404 || status === 410 ? "gone" : "network";
  }
  if (category === 3) return "decode";
  return category === 4 && code === 4032 ? "unsupported" : "other"; // CONTENT_UNSUPPORTED_BY_BROWSER
}
