/**
 * What the page knows of the making, and which rungs follow from it: Auto chooses among those that
 * play without waiting, because they are only copied, exist already, or are made fast enough.
 */
const QUICK = 1.5; // seconds made in a second: what is made more slowly soon keeps people waiting
const LOW_PX = 480; // up to here HEADWATER_WARM=low makes rungs ahead, see pipeline/warm.py
const USED_SHARE = 0.95; // of what the line carries
const TRACK = /(?:^|\/)(v(\d+)c?)(?:\/|$)/; // the track's name, in a path (HLS) or alone (DASH)

export const SEGMENT_S = 4; // what most of them last
export const AHEAD_S = 2 * SEGMENT_S;

export interface Making {
  /** The share that exists of what is made ahead, from the video's start. */
  progress: number;
  /** Which rungs are made ahead of being watched. */
  warms: "all" | "low" | "none";
  /** How many seconds of a rung are made in one second, by track, where that is known. */
  speeds: Record<string, number>;
  duration: number;
}

export interface Rung {
  bandwidth: number;
  /** Where its track's name is found. */
  address: string;
}

export const carries = (line_bps: number, { bandwidth }: Rung): boolean => bandwidth <= line_bps * USED_SHARE;

const isCopied = ({ address }: Rung): boolean => TRACK.exec(address)?.[1]?.endsWith("c") ?? false;
export const speedOf = ({ speeds }: Making, { address }: Rung): number | undefined => speeds[TRACK.exec(address)?.[1] ?? ""];

function isWarm({ progress, warms, duration }: Making, { address }: Rung, until_s: number): boolean {
  if (warms === "none") return false;
  if (warms === "low" && Number(TRACK.exec(address)?.[2]) > LOW_PX) return false;
  return progress >= 1 || until_s <= progress * duration;
}

const lowestMade = <R extends Rung>(rungs: R[]): R | undefined =>
  rungs.filter((rung) => !isCopied(rung)).toSorted((a, b) => a.bandwidth - b.bandwidth)[0];

/**
 * Whether `rung`, one of `rungs`, plays up to `until_s` without being made: where nothing is copied,
 * a video that is playable begins with its lowest, see pipeline/plan_video.py.
 */
export function isThere<R extends Rung>(rung: R, rungs: R[], making: Making, until_s: number): boolean {
  const begins = until_s <= AHEAD_S && !rungs.some(isCopied) && lowestMade(rungs) === rung;
  return begins || isCopied(rung) || isWarm(making, rung, until_s);
}

/**
 * The `rungs` to choose from for what is played up to `until_s`. The lowest that is made is one of
 * them while nobody knows how fast it is, and where the line carries none of the others.
 */
export function flowing<R extends Rung>(rungs: R[], making: Making, until_s: number, line_bps: number): R[] {
  const flows = (rung: R): boolean =>
    isCopied(rung) || isWarm(making, rung, until_s) || (speedOf(making, rung) ?? 0) >= QUICK;
  const found = rungs.filter(flows);
  const lowest = lowestMade(rungs);
  if (!lowest) return found;
  const isNeeded = speedOf(making, lowest) === undefined || !found.some((rung) => carries(line_bps, rung));
  return isNeeded ? rungs.filter((rung) => rung.address === lowest.address || found.includes(rung)) : found;
}
