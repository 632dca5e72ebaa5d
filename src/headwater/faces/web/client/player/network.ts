/**
 * Fetching with patience: a segment that does not exist yet is made when it is asked for. The server
 * holds the answer some seconds, then says 202 with Retry-After to who prefers that to an error, as
 * we do (RFC 7240), or 429 or 503 where it is over a limit. We ask again as told, and the page says
 * meanwhile that this part is being prepared.
 */
import type shaka from "shaka-player/dist/shaka-player.hls-es2021.js";

import type { Ahead, Fetched } from "./ahead";

type Shaka = typeof shaka;
type Plugin = shaka.extern.SchemePlugin;

const LATER = [202, 429, 503];
const BAD_HTTP_STATUS = 1001; // shaka.util.Error.Code
const CRITICAL = 2; // shaka.util.Error.Severity
const NETWORK = 1; // shaka.util.Error.Category
const OPERATION_ABORTED = 7001;
const DEFAULT_WAIT_S = 2;
const LONGEST_WAIT_S = 15;

export function waitOf(error: unknown): number | null {
  const { code, data } = error as { code?: number; data?: unknown[] };
  if (code !== BAD_HTTP_STATUS || !data || !LATER.includes(Number(data[1]))) return null;
  const headers = (data[3] ?? {}) as Record<string, string>;
  const told = Number(headers["retry-after"]);
  return Math.min(Number.isFinite(told) && told > 0 ? told : DEFAULT_WAIT_S, LONGEST_WAIT_S);
}

/** What is not there will not be there in a second either: only the rest is worth Shaka's retries. */
function withoutRetries(error: unknown): unknown {
  const { code, data } = error as { code?: number; data?: unknown[] };
  if (code === BAD_HTTP_STATUS && [404, 410].includes(Number(data?.[1]))) {
    (error as { severity: number }).severity = CRITICAL;
  }
  return error;
}

/**
 * Measures how long bytes travel, not how long the server takes to make them: a segment that was
 * waited for says nothing about the line, and would make Auto choose ever lower, ever colder rungs.
 */
class Line {
  private answeredAt: number | null = null;
  private measured = false;

  constructor(
    private readonly tell: shaka.extern.ProgressUpdated,
    private readonly pass: shaka.extern.HeadersReceived,
  ) {}

  readonly headers: shaka.extern.HeadersReceived = (headers) => {
    this.answeredAt = performance.now();
    this.pass(headers);
  };

  readonly progress: shaka.extern.ProgressUpdated = (time_ms, bytes, left) => {
    this.tell(this.measured ? time_ms : this.travelled(time_ms), bytes, left);
    this.measured = true;
  };

  travelled(time_ms: number): number {
    const since = this.answeredAt === null ? time_ms : performance.now() - this.answeredAt;
    return Math.max(1, Math.min(time_ms, since));
  }
}

/** Take what was fetched ahead, as Shaka's fetch would have answered; null where it did not come. */
async function fromAhead(
  coming: Promise<Fetched | null>,
  uri: string,
  originalRequest: shaka.extern.Request,
  progress: shaka.extern.ProgressUpdated,
): Promise<shaka.extern.Response | null> {
  const found = await coming;
  if (!found) return null;
  const { body: data, headers, travelled_ms } = found;
  progress(Math.max(1, travelled_ms), data.byteLength, 0);
  const answer = { uri, originalUri: uri, originalRequest, data, status: 200, headers };
  return { ...answer, timeMs: travelled_ms, fromCache: false };
}

/** Wrap Shaka's fetch so that it waits where the server asks it to; `waiting` hears of each wait. */
export function patientScheme(library: Shaka, waiting: (yes: boolean) => void, ahead: Ahead): Plugin {
  return (uri, request, type, progress, headers, config) => {
    let stopped = false;
    let wake = (): void => {};
    let inner: shaka.extern.IAbortableOperation<shaka.extern.Response> | undefined;

    request.headers.prefer = "respond-async";
    const attempts = async (): Promise<shaka.extern.Response> => {
      const coming = ahead.take(uri);
      const come = coming && (await fromAhead(coming, uri, request, progress));
      if (come) return come;
      while (!stopped) {
        const line = new Line(progress, headers);
        inner = library.net.HttpFetchPlugin.parse(uri, request, type, line.progress, line.headers, config);
        try {
          const response = await inner.promise;
          waiting(false);
          if (response.timeMs !== undefined) response.timeMs = line.travelled(response.timeMs);
          return response;
        } catch (error) {
          const wait_s = waitOf(error);
          if (stopped || wait_s === null) throw withoutRetries(error);
          waiting(true);
          await new Promise<void>((resolve) => {
            const timer = setTimeout(resolve, wait_s * 1000);
            wake = () => {
              clearTimeout(timer);
              resolve();
            };
          });
          if (stopped) throw error;
        }
      }
      throw new library.util.Error(CRITICAL, NETWORK, OPERATION_ABORTED);
    };
    return new library.util.AbortableOperation(attempts(), async () => {
      stopped = true;
      wake();
      await inner?.abort();
    });
  };
}
