/** HLS by the browser itself (iPhones without Managed Media Source): it alone chooses the quality. */
import type { Choice, Engine, News, Quality, Trouble } from "./engine";

export class NativeEngine implements Engine {
  readonly kind = "native";
  private readonly ending = new AbortController();

  constructor(
    private readonly video: HTMLVideoElement,
    private readonly news: News,
  ) {
    const { signal } = this.ending;
    video.addEventListener("error", () => this.news.trouble(nativeTrouble(video.error)), { signal });
    for (const name of ["loadedmetadata", "resize"]) {
      video.addEventListener(name, () => this.news.change(), { signal });
    }
    video.textTracks.addEventListener("change", () => this.news.change(), { signal });
  }

  async load(address: string, start_s: number | null): Promise<void> {
    this.video.src = address;
    if (start_s) this.video.currentTime = start_s;
  }

  qualities(): Quality[] {
    return [];
  }

  playing(): Quality | null {
    const height = Math.min(this.video.videoWidth, this.video.videoHeight);
    return height ? { id: 0, height, bandwidth: 0 } : null;
  }

  choose(): void {}

  audio(): Choice[] {
    return [];
  }

  chooseAudio(): void {}

  captions(): Choice[] {
    return Array.from(this.video.textTracks, (track, id) => ({
      id,
      label: track.label,
      language: track.language,
      active: track.mode === "showing",
    }));
  }

  chooseCaptions(id: number | null): void {
    Array.from(this.video.textTracks).forEach((track, index) => {
      track.mode = index === id ? "showing" : "disabled";
    });
  }

  retry(): boolean {
    const { currentTime } = this.video;
    this.video.load();
    this.video.currentTime = currentTime;
    return true;
  }

  async destroy(): Promise<void> {
    this.ending.abort();
    this.video.removeAttribute("src");
    this.video.load();
  }
}

function nativeTrouble(error: MediaError | null): Trouble {
  if (error?.code === MediaError.MEDIA_ERR_NETWORK) return "network";
  return error?.code === MediaError.MEDIA_ERR_SRC_NOT_SUPPORTED ? "gone" : "decode";
}
