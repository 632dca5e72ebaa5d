/** Which rung to start with, before anything is known of the line. */

/** What a line is taken to carry until it has been measured: the manifest's first variant, and more. */
export const LINE_BPS = 4_500_000;
const USED_SHARE = 0.95;
const COPY = /(^|\/)v\d+c(\/|$)/; // the track's name, in a path (HLS) or alone (DASH)

export interface Rung {
  bandwidth: number;
  width: number;
  height: number;
  address: string;
}

export const isCopied = (name: string): boolean => COPY.test(name);

/** The lowest rung that fills `height_px`, of those that the line carries and, if not `warm`, that need no waiting. */
export function startRung(rungs: Rung[], wish: { height_px: number; warm: boolean; line_bps: number }): Rung | null {
  const rising = rungs.toSorted((a, b) => a.bandwidth - b.bandwidth);
  const lowest = rising.find(({ address }) => !isCopied(address));
  const ready = wish.warm ? rising : rising.filter((rung) => rung === lowest || isCopied(rung.address));
  const carried = ready.filter(({ bandwidth }) => bandwidth <= wish.line_bps * USED_SHARE);
  return carried.find(({ height }) => height >= wish.height_px) ?? carried.at(-1) ?? ready[0] ?? null;
}
