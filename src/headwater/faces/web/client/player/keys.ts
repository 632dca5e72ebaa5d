/** The keyboard of the player: what each key does, once, for the player and for the page around it. */
import * as acts from "./acts";
import type { HeadwaterPlayer } from "./element";

type Act = (player: HeadwaterPlayer) => void;

const PAGE_KEYS: Record<string, Act> = {
  k: (player) => player.toggle(),
  " ": (player) => player.toggle(),
  j: (player) => player.skip(-10),
  l: (player) => player.skip(10),
  ArrowLeft: (player) => player.skip(-5),
  ArrowRight: (player) => player.skip(5),
  f: acts.toggleFullscreen,
  m: acts.toggleMute,
  c: acts.toggleCaptions,
  t: acts.toggleTheatre,
  "<": (player) => acts.changeSpeed(player, -1),
  ">": (player) => acts.changeSpeed(player, 1),
  "?": acts.showKeys,
};

/** These scroll or jump in a page, so they are the player's only while the focus is in it. */
const PLAYER_KEYS: Record<string, Act> = {
  ArrowUp: (player) => acts.changeVolume(player, 0.05),
  ArrowDown: (player) => acts.changeVolume(player, -0.05),
  Home: (player) => player.seek(0),
  End: (player) => player.seek(player.duration),
};

function writes(target: EventTarget | undefined): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target instanceof HTMLInputElement) return target.type !== "range" && target.type !== "checkbox";
  return target.isContentEditable || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement;
}

/** Act on `event` if it is one of the player's; true when it was. */
export function onKey(player: HeadwaterPlayer, event: KeyboardEvent): boolean {
  const target = event.composedPath()[0];
  if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey || writes(target)) return false;
  if (document.querySelector("dialog[open]")) return false;
  const inside = event.composedPath().includes(player);
  const pressed = event.key === " " && target instanceof HTMLElement && target.closest("button, a, summary, [role=button]");
  if (pressed) return false; // the space bar presses what has the focus
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const act = PAGE_KEYS[key] ?? (inside ? PLAYER_KEYS[key] : undefined) ?? digit(key);
  if (!act) return false;
  event.preventDefault();
  act(player);
  return true;
}

function digit(key: string): Act | undefined {
  return /^\d$/.test(key) ? (player) => player.seek((player.duration * Number(key)) / 10) : undefined;
}
