/**
 * The bytes of an upload straight into the bucket, where the page says that it takes them.
 *
 * tus-js-client goes on deciding when to send, pause and try again; only what it would PATCH goes
 * another way: cut into parts, each put to an address signed for its content, and named to the
 * server in order. So whatever arrived counts, and any other way can go on from there: where the
 * bucket cannot be reached from this browser, the rest goes through the server.
 */
import { DefaultHttpStack, type HttpRequest, type HttpResponse, type HttpStack } from "tus-js-client";

const PART_BYTES = 8 * 1024 * 1024; // parts begin at multiples, so sent again they are the same
const AT_ONCE = 3;
const FAILURES = 2; // of the bucket in a row, while the server answers, before it is left alone

interface Ticket {
  url: string;
  method: string;
  headers: Record<string, string>;
}

interface Part {
  start: number;
  length: number;
  sha256: string;
}

/** The address of the bucket was not reached at all: no network, or no leave from its rules. */
class Unreached extends Error {}

class Refused extends Error {
  constructor(readonly answer: HttpResponse) {
    super("refused");
  }
}

/** Return how to send, or undefined for the usual way: hashing needs https, or this machine. */
export function directStack(): HttpStack | undefined {
  const isAsked = document.querySelector("headwater-uploads[direct]") !== null;
  return isAsked && globalThis.crypto?.subtle ? new DirectStack() : undefined;
}

class DirectStack implements HttpStack {
  private readonly ours = new DefaultHttpStack({});
  failures = 0;

  createRequest(method: string, url: string): HttpRequest {
    const request = this.ours.createRequest(method, url);
    return method === "PATCH" && this.failures < FAILURES ? new DirectRequest(request, this) : request;
  }

  getName(): string {
    return "direct";
  }
}

class DirectRequest implements HttpRequest {
  private readonly stopped = new AbortController();
  private readonly sent = new Map<number, number>();
  private progress: (sent: number) => void = () => {};

  constructor(
    private readonly request: HttpRequest,
    private readonly stack: DirectStack,
  ) {}

  getMethod = (): string => this.request.getMethod();
  getURL = (): string => this.request.getURL();
  setHeader = (header: string, value: string): void => this.request.setHeader(header, value);
  getHeader = (header: string): string | undefined => this.request.getHeader(header);
  getUnderlyingObject = (): unknown => this.request.getUnderlyingObject();

  setProgressHandler(handler: (sent: number) => void): void {
    this.progress = handler;
  }

  async abort(): Promise<void> {
    this.stopped.abort();
  }

  async send(body: Blob): Promise<HttpResponse> {
    const offset = Number(this.getHeader("Upload-Offset"));
    try {
      await this.sendParts(body, offset);
      this.stack.failures = 0;
      return answered(204, { "upload-offset": String(offset + body.size) });
    } catch (error) {
      this.stopped.abort(); // the others on their way
      if (error instanceof Refused) return error.answer;
      if (error instanceof Unreached) this.stack.failures += 1;
      throw error;
    }
  }

  /** Send the parts of *body*, some at once, and name each when all before it are named. */
  private async sendParts(body: Blob, offset: number): Promise<void> {
    const starts = [offset];
    const end = offset + body.size;
    for (let next = nextStart(offset); next < end; next = nextStart(next)) starts.push(next);
    let named = Promise.resolve();
    let at = 0;
    const sender = async (): Promise<void> => {
      while (at < starts.length) {
        const before = named;
        let settle: () => void = () => {};
        named = new Promise((done) => (settle = done));
        const start = starts[at++]!;
        const piece = body.slice(start - offset, Math.min(nextStart(start), end) - offset);
        const part = await this.put(piece, start);
        await before;
        await this.ask("PUT", [part]);
        settle();
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, sender));
  }

  private async put(piece: Blob, start: number): Promise<Part> {
    const bytes = await piece.arrayBuffer();
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    const sha256 = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
    const part = { start, length: piece.size, sha256 };
    const { parts } = (await this.ask("POST", [part])) as { parts: [Ticket] };
    await this.putBytes(bytes, parts[0], start);
    return part;
  }

  private async ask(method: string, parts: Part[]): Promise<unknown> {
    const response = await fetch(`${this.getURL()}/parts`, {
      method,
      body: JSON.stringify({ parts }),
      headers: { accept: "application/json", "content-type": "application/json" },
      signal: this.stopped.signal,
    });
    if (response.ok) return response.json();
    const headers = Object.fromEntries([...response.headers].map(([name, value]) => [name.toLowerCase(), value]));
    throw new Refused(answered(response.status, headers, await response.text()));
  }

  /** XMLHttpRequest, because fetch does not tell how far an upload is. */
  private putBytes(bytes: ArrayBuffer, ticket: Ticket, start: number): Promise<void> {
    return new Promise((done, fail) => {
      const request = new XMLHttpRequest();
      request.open(ticket.method, ticket.url);
      for (const [name, value] of Object.entries(ticket.headers)) {
        if (name.toLowerCase() !== "content-length") request.setRequestHeader(name, value); // its own business
      }
      request.upload.onprogress = ({ loaded }) => this.moved(start, loaded);
      request.onload = () => {
        if (request.status < 300) done();
        else if (request.status < 500 && request.status !== 429) fail(new Unreached(`bucket: ${request.status}`));
        else fail(new Error(`bucket: ${request.status}`));
      };
      request.onerror = () => fail(new Unreached("bucket"));
      request.onabort = () => fail(new Error("stopped"));
      this.stopped.signal.addEventListener("abort", () => request.abort());
      request.send(bytes);
    });
  }

  private moved(start: number, bytes: number): void {
    this.sent.set(start, bytes);
    this.progress([...this.sent.values()].reduce((sum, sent) => sum + sent, 0));
  }
}

function nextStart(offset: number): number {
  return (Math.floor(offset / PART_BYTES) + 1) * PART_BYTES;
}

function answered(status: number, headers: Record<string, string>, body = ""): HttpResponse {
  return {
    getStatus: () => status,
    getHeader: (name) => headers[name.toLowerCase()],
    getBody: () => body,
    getUnderlyingObject: () => null,
  };
}
