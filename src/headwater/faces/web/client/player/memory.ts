/** What this browser remembers: where each video stopped, volume, speed, the line, and how wide the player is. */

const POSITIONS = "headwater.positions";
const SETTINGS = "headwater.player";
const REMEMBERED_VIDEOS = 200;
const NEAR_EDGE_S = 10; // neither the first seconds nor the last are worth coming back to

export interface Settings {
  volume: number;
  muted: boolean;
  speed: number;
  theatre: boolean;
  /** The language of captions, "" where somebody turned them off, null where nobody has said. */
  captions: string | null;
  /** What the line carried the last time, null where that was never measured. */
  line_bps: number | null;
}

const DEFAULTS: Settings = { volume: 1, muted: false, speed: 1, theatre: false, captions: null, line_bps: null };

function read<T>(name: string, otherwise: T): T {
  try {
    return { ...otherwise, ...JSON.parse(localStorage.getItem(name) ?? "{}") };
  } catch {
    return otherwise; // storage is off, or holds something else
  }
}

function write(name: string, value: unknown): void {
  try {
    localStorage.setItem(name, JSON.stringify(value));
  } catch {
    // Full or off: the page works without a memory.
  }
}

export const readSettings = (): Settings => read(SETTINGS, DEFAULTS);
export const writeSettings = (change: Partial<Settings>): void => write(SETTINGS, { ...readSettings(), ...change });

/** Where one stopped in a video, kept while it plays. */
export class Place {
  /** It has played here: only then there is something to remember. */
  started = false;
  private savedAt = 0;

  constructor(private readonly player: { videoId: string; video: HTMLVideoElement; duration: number }) {}

  /** Where this browser stopped the last time, null if nowhere worth coming back to. */
  left(): number | null {
    return read<Record<string, [number, number]>>(POSITIONS, {})[this.player.videoId]?.[0] ?? null;
  }

  /** Remember where playback is, unless that was done less than `every_s` ago. */
  save(every_s = 0): void {
    const { currentTime, ended } = this.player.video;
    if (!this.started || Math.abs(currentTime - this.savedAt) < every_s) return;
    this.savedAt = currentTime;
    writePosition(this.player.videoId, ended ? 0 : currentTime, this.player.duration);
  }
}

function writePosition(video: string, seconds: number, duration: number): void {
  const all = read<Record<string, [number, number]>>(POSITIONS, {});
  delete all[video];
  if (seconds > NEAR_EDGE_S && seconds < duration - NEAR_EDGE_S) {
    all[video] = [Math.floor(seconds), Date.now()];
  }
  const newest = Object.entries(all).sort((a, b) => b[1][1] - a[1][1]);
  write(POSITIONS, Object.fromEntries(newest.slice(0, REMEMBERED_VIDEOS)));
}
