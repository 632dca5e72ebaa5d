/** What the player is given by its page, and what there is to see of it; it changes in element.ts. */
import { LitElement } from "lit";
import type { Engine, Trouble } from "./engine";
import type { Making } from "./making";

export type State = "idle" | "loading" | "ready" | "failed";

export class PlayerState extends LitElement {
  static override properties = {
    videoId: { attribute: "video-id" },
    name: {},
    hls: {},
    dash: {},
    manifest: {},
    storyboard: {},
    duration: { type: Number },
    progress: { type: Number },
    warms: {},
    speeds: { type: Object },
    autoplay: { type: Boolean },
    soundOnly: { type: Boolean, attribute: "sound-only" },
    state: { state: true },
    paused: { state: true },
    buffering: { state: true },
    preparing: { state: true },
    trouble: { state: true },
    chip: { state: true },
    news: { state: true },
    chosen: { state: true },
  };
  declare videoId: string;
  declare name: string;
  declare hls: string;
  declare dash: string;
  /** Which manifest plays where Media Source is there: "hls" (default) or "dash". */
  declare manifest: "hls" | "dash";
  declare storyboard: string;
  declare duration: number;
  /** What is known of the making, see making.ts. */
  declare progress: number;
  declare warms: Making["warms"];
  declare speeds: Making["speeds"];
  declare autoplay: boolean;
  /** There is no picture: something quiet takes its place, and the controls stay. */
  declare soundOnly: boolean;
  declare state: State;
  declare paused: boolean;
  declare buffering: boolean;
  /** The server is making what is asked for and told us to wait. */
  declare preparing: boolean;
  declare trouble: Trouble | null;
  declare chip: string | null;
  declare news: string;
  /** The height somebody chose, null for Auto. */
  declare chosen: number | null;
  video!: HTMLVideoElement;
  engine: Engine | null = null;

  constructor() {
    super();
    Object.assign(this, { videoId: "", name: "", hls: "", dash: "", manifest: "hls", storyboard: "" });
    Object.assign(this, { progress: 1, warms: "all", speeds: {} });
    Object.assign(this, { duration: 0, soundOnly: false, autoplay: false, state: "idle", paused: true });
    Object.assign(this, { buffering: false, preparing: false, trouble: null, chip: null, news: "", chosen: null });
  }

  /** The height that plays now, null until it is known. */
  get quality(): number | null {
    return this.engine?.playing()?.height ?? null;
  }

  /** The heights there are, lowest first. */
  get qualities(): number[] {
    return [...new Set(this.engine?.qualities().map(({ height }) => height) ?? [])];
  }
}
