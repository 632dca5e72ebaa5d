/**
 * What the controls need from playback, over Shaka where there is Media Source and over the
 * browser's own HLS where there is not. Nothing else in the player knows which of them plays.
 */
import type { Ahead } from "./ahead";
import type { Making } from "./making";
import { NativeEngine } from "./native";
import { type Library, ShakaEngine } from "./shaka";

export interface Quality {
  id: number;
  /** The short side in pixels, what people call the quality: 720. */
  height: number;
  bandwidth: number;
}

export interface Choice {
  id: number;
  label: string;
  language: string;
  active: boolean;
}

export type Trouble = "gone" | "login" | "network" | "decode" | "unsupported" | "other";

/** What an engine tells; "change" means qualities, tracks or what is playing may differ now. */
export interface News {
  change(): void;
  preparing(yes: boolean): void;
  trouble(kind: Trouble): void;
  /** What is known now of the making. */
  making(): Making;
}

/** Where an engine plays: captions it draws itself go into `captions`, which keeps off the controls. */
export interface Screen {
  video: HTMLVideoElement;
  captions: HTMLElement;
}

export interface Engine {
  readonly kind: "shaka" | "native";
  load(address: string, start_s: number | null): Promise<void>;
  qualities(): Quality[];
  /** The quality that is decoded now, null while unknown. */
  playing(): Quality | null;
  /** Stay on one quality, or let the engine choose again. */
  choose(height: number | null): void;
  audio(): Choice[];
  chooseAudio(id: number): void;
  captions(): Choice[];
  chooseCaptions(id: number | null): void;
  retry(): boolean;
  destroy(): Promise<void>;
}

export const hasMediaSource = (): boolean => "MediaSource" in window || "ManagedMediaSource" in window;

/** Start the engine that this browser can run; `dash` picks the manifest kind Shaka reads. */
export async function openEngine(screen: Screen, dash: boolean, news: News, ahead: Ahead): Promise<Engine> {
  const { video } = screen;
  if (!hasMediaSource()) {
    if (video.canPlayType("application/vnd.apple.mpegurl")) return new NativeEngine(video, news);
    throw new Error("unsupported");
  }
  const loaded = dash
    ? await import("shaka-player/dist/shaka-player.dash-es2021.js")
    : await import("shaka-player/dist/shaka-player.hls-es2021.js");
  const library = ((loaded as { default?: Library }).default ?? loaded) as Library;
  const engine = new ShakaEngine(library, screen, news, ahead);
  await engine.attach();
  return engine;
}
