/** Which rung to start with: what is there already, as far as the line carries it. */
import { AHEAD_S, SEGMENT_S, type Making, type Rung, carries, flowing, isThere, speedOf } from "./making";

const UNKNOWN_SPEED = 1; // of the making, in seconds a second

export interface Sized extends Rung {
  height: number;
}

export interface Wish {
  /** The picture's height on this screen, in device pixels. */
  height_px: number;
  /** Where playback starts, null for the beginning. */
  start_s: number | null;
  making: Making;
}

/**
 * The lowest rung that fills the screen, of those that the line carries and that exist where playback
 * starts; without such a one, what is made and travels soonest.
 */
export function startRung(rungs: Sized[], { height_px, start_s, making }: Wish, line_bps: number): Sized | null {
  const rising = rungs.toSorted((a, b) => a.bandwidth - b.bandwidth);
  const until_s = (start_s ?? 0) + AHEAD_S;
  const there = rising.filter((rung) => isThere(rung, rungs, making, until_s));
  const carried = there.filter((rung) => carries(line_bps, rung));
  const wait_s = (rung: Sized): number =>
    (SEGMENT_S * rung.bandwidth) / line_bps +
    (there.includes(rung) ? 0 : SEGMENT_S / (speedOf(making, rung) ?? UNKNOWN_SPEED));
  const soonest = flowing(rising, making, until_s, line_bps).toSorted((a, b) => wait_s(a) - wait_s(b))[0];
  return carried.find(({ height }) => height >= height_px) ?? carried.at(-1) ?? soonest ?? null;
}
