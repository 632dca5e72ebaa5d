/** Which rung to start with, before anything is known of the line. */
import { AHEAD_S, type Making, type Rung, carries, flowing } from "./making";

/** What a line is taken to carry until it has been measured: the manifest's first variant, and more. */
export const LINE_BPS = 4_500_000;

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

/** The lowest rung that fills the screen, of those that the line carries and that need no waiting. */
export function startRung(rungs: Sized[], { height_px, start_s, making }: Wish): Sized | null {
  const rising = rungs.toSorted((a, b) => a.bandwidth - b.bandwidth);
  const ready = flowing(rising, making, (start_s ?? 0) + AHEAD_S, LINE_BPS);
  const carried = ready.filter((rung) => carries(LINE_BPS, rung));
  return carried.find(({ height }) => height >= height_px) ?? carried.at(-1) ?? ready[0] ?? null;
}
