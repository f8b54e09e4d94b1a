import { spawn } from "node:child_process";
import type { Socket } from "node:net";

/** Who is at the other end of a Unix socket, as the kernel noted when it connected. */
export interface Peer {
  readonly processId: number;
  readonly userId: number;
  readonly groupId: number;
}

/**
 * Programs that ask the kernel about the socket they get as standard input (`SO_PEERCRED`, level 1, option 17) and print
 * process, user and group. Node cannot ask; both are on most machines (perl belongs to Debian's essential packages).
 */
const ASKERS: readonly (readonly [string, ...string[]])[] = [
  ["perl", "-e", 'print join " ", unpack "i3", getsockopt STDIN, 1, 17'],
  [
    "python3",
    "-c",
    "import socket, struct\ns = socket.socket(fileno=0)\nprint(*struct.unpack('3i', s.getsockopt(1, 17, 12)))",
  ],
];

/**
 * Ask the kernel who connected. The answer cannot be forged: it was written down at that moment, whoever holds the socket now.
 *
 * @returns `undefined` when there is no program that could ask: the caller has to take the peer for anybody.
 */
export async function findPeer(socket: Socket): Promise<Peer | undefined> {
  for (const [program, ...args] of ASKERS) {
    const numbers = (await ask(socket, program, args)).trim().split(" ").map(Number);
    const [processId, userId, groupId] = numbers;
    if (numbers.length !== 3 || !numbers.every((each) => Number.isSafeInteger(each) && each >= 0)) continue;
    return { processId: processId as number, userId: userId as number, groupId: groupId as number };
  }
  return undefined;
}

function ask(socket: Socket, program: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    // Its own environment could make it load other code.
    const child = spawn(program, args, { stdio: [socket, "pipe", "ignore"], env: { PATH: process.env["PATH"] } });
    let answer = "";
    child.on("error", () => resolve(""));
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      answer += text;
    });
    child.on("close", (code) => resolve(code === 0 ? answer : ""));
  });
}
