/** What people ask of the player beside playing and seeking: sound, speed, captions, where it shows. */
import { player as texts } from "../../texts/en.json";
import type { HeadwaterPlayer } from "./element";
import { readSettings, writeSettings } from "./memory";

export const SPEEDS = [0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2];

// Sound

export function toggleMute({ video }: HeadwaterPlayer): void {
  video.muted = !video.muted;
}

export function setVolume({ video }: HeadwaterPlayer, volume: number): void {
  video.muted = false;
  video.volume = Math.min(1, Math.max(0, volume));
}

export function changeVolume(player: HeadwaterPlayer, by: number): void {
  setVolume(player, player.video.volume + by);
}

// Speed

/** The speed somebody chose: while the engine waits for bytes, the video's own is 0. */
export function speedOf({ video }: HeadwaterPlayer): number {
  return video?.defaultPlaybackRate ?? 1;
}

export function setSpeed(player: HeadwaterPlayer, speed: number): void {
  player.video.defaultPlaybackRate = speed;
  player.video.playbackRate = speed;
  player.news = `${texts.speed} ${speed}×`;
}

export function changeSpeed(player: HeadwaterPlayer, steps: number): void {
  const at = SPEEDS.findIndex((speed) => speed >= speedOf(player));
  const next = SPEEDS[Math.min(SPEEDS.length - 1, Math.max(0, at + steps))];
  if (next) setSpeed(player, next);
}

// Captions

export function chooseCaptions(player: HeadwaterPlayer, id: number | null): void {
  const chosen = player.engine?.captions().find((choice) => choice.id === id);
  player.engine?.chooseCaptions(chosen?.id ?? null);
  if (chosen) player.captionsLanguage = chosen.language;
  writeSettings({ captions: chosen?.language ?? "" });
  player.requestUpdate();
}

/** Turn captions off, or on: in the language of the last time if there is one, else the first. */
export function toggleCaptions(player: HeadwaterPlayer): void {
  const all = player.engine?.captions() ?? [];
  if (!all.length) return;
  const active = all.some((choice) => choice.active);
  const wanted = all.find(({ language }) => language === player.captionsLanguage) ?? all[0]!;
  chooseCaptions(player, active ? null : wanted.id);
}

/** Show what was shown the last time, or what the page marks as `default`. */
export function recallCaptions(player: HeadwaterPlayer): void {
  const all = player.engine?.captions() ?? [];
  const marked = player.video.querySelector<HTMLTrackElement>("track[default]")?.srclang;
  const language = readSettings().captions ?? marked;
  const found = all.find((choice) => choice.language === language);
  if (!found || all.some((choice) => choice.active)) return;
  player.engine?.chooseCaptions(found.id);
  player.requestUpdate();
}

// What the keys do

/** Ask the page to list the keys. */
export function showKeys(player: HeadwaterPlayer): void {
  player.dispatchEvent(new CustomEvent("headwater-keys", { bubbles: true }));
}

// Where it shows

export function toggleFullscreen(player: HeadwaterPlayer): void {
  if (document.fullscreenElement === player) return void document.exitFullscreen();
  const video = player.video as HTMLVideoElement & { webkitEnterFullscreen?: () => void };
  if (player.requestFullscreen) void player.requestFullscreen().catch(() => {});
  else video.webkitEnterFullscreen?.();
}

export function togglePictureInPicture({ video }: HeadwaterPlayer): void {
  const leaving = document.pictureInPictureElement === video;
  void (leaving ? document.exitPictureInPicture() : video.requestPictureInPicture()).catch(() => {});
}

export function toggleTheatre(player: HeadwaterPlayer): void {
  player.dispatchEvent(new CustomEvent("headwater-theatre", { bubbles: true }));
  player.requestUpdate();
}
