import { CodedError, formatLocation, type SourceLocation } from "../../core/base/index.ts";
import { callSite, withPlace } from "./call-site.ts";

/** What a story asked for: its promise knows whether anybody waits for it. */
class Call<T> extends Promise<T> {
  awaited = false;

  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  // biome-ignore lint/suspicious/noThenProperty: a promise that is told of being awaited
  override then<A = T, B = never>(
    onValue?: ((value: T) => A | PromiseLike<A>) | null,
    onError?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.awaited = true;
    return super.then(onValue, onError);
  }
}

interface MadeCall {
  readonly what: string;
  readonly at: SourceLocation | undefined;
  readonly call: Call<unknown>;
  settled: boolean;
}

/** All that a story asked of one machine, so that nothing it asked for is forgotten. */
export class GuestCalls {
  readonly #machine: string;
  readonly #made: MadeCall[] = [];

  constructor(machine: string) {
    this.#machine = machine;
  }

  /** Do what a story asks for; a failure carries the line of the story that asked. */
  call<T>(what: string, body: () => Promise<T>): Promise<T> {
    const at = callSite();
    const call = new Call<T>((resolve) =>
      resolve(
        body().catch((error: unknown) => {
          throw withPlace(error, at);
        }),
      ),
    );
    const made: MadeCall = { what, at, call, settled: false };
    const settle = (): void => {
      made.settled = true;
    };
    // One that nobody awaits is told of below, and does not end the process.
    Promise.prototype.then.call(call, settle, settle);
    this.#made.push(made);
    return call;
  }

  /** What was asked for last of all that has not come to an end. */
  get pending(): { readonly what: string; readonly at: SourceLocation | undefined } | undefined {
    return this.#made.findLast(({ settled }) => !settled);
  }

  /** @throws {CodedError} `story.not-awaited` for the first that nobody waited for. */
  checkAwaited(): void {
    const forgotten = this.#made.filter(({ call }) => !call.awaited);
    const [first] = forgotten;
    if (first === undefined) return;
    throw new CodedError(
      "story.not-awaited",
      `Cannot pass the test: nobody waits for "${first.what}" on "${this.#machine}"`,
      {
        at: first.at,
        details: forgotten
          .slice(1)
          .map(({ what, at }) => `nor for "${what}"${at === undefined ? "" : ` at ${formatLocation(at)}`}`),
        hint: "Write `await` before it, or start what shall go on beside the story with spawn``.",
      },
    );
  }
}
