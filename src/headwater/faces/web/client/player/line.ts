/** What the line carries, before a segment has come over it. */
import { readSettings } from "./memory";

/** What it is taken to carry where nothing is known. */
export const UNKNOWN_BPS = 4_500_000;
/** What comes at once says no more than that it carries this. */
export const MOST_BPS = 100_000_000;

const LEAST_BYTES = 25_000; // what is smaller says nothing of the line,
const FIRST_BYTES = 14_000; // nor does what a server sends before it hears from us (RFC 6928)
const PATIENCE_MS = 1500;

/** What was measured the last time, or how fast the page's own parts came; null if neither is known. */
export function lineBps(): number | null {
  const remembered = readSettings().line_bps;
  if (remembered !== null) return remembered;
  const parts = performance.getEntriesByType("resource") as PerformanceResourceTiming[];
  const told = parts
    .filter(({ transferSize }) => transferSize > LEAST_BYTES) // 0 is from the browser's cache
    .map((part) => ((part.transferSize - FIRST_BYTES) * 8000) / Math.max(1, part.responseEnd - part.responseStart));
  return told.length ? Math.min(MOST_BPS, Math.max(...told)) : null;
}

/** The same once it is known: the player's own code, which every page of it loads, is a measure. */
export function lineOnceKnown(): Promise<number> {
  return new Promise((resolve) => {
    const look = (): void => {
      const line_bps = lineBps();
      if (line_bps !== null) end(line_bps);
    };
    const end = (line_bps: number): void => {
      observer.disconnect();
      clearTimeout(timer);
      resolve(line_bps);
    };
    const observer = new PerformanceObserver(look);
    const timer = setTimeout(() => end(UNKNOWN_BPS), PATIENCE_MS);
    observer.observe({ type: "resource" });
    look();
  });
}
