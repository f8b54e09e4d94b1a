import { randomBytes } from "node:crypto";
import type { Boot } from "./boot.ts";

/** Bytes from the host's random generator that a copy gets. */
const SEED_BYTES = 32;
/** What a copy's clock may be late by, and how often it is set to come to that. */
const LATE_MS = 50;
const CLOCK_TRIES = 20;

/** Let a copy that goes on be one of its own: with other random numbers than its siblings, and at the present time. */
export async function becomeItself(boot: Boot, seconds: number): Promise<void> {
  await boot.waitForAgent(seconds);
  await Promise.all([boot.agent.reseed(randomBytes(SEED_BYTES)), setPresentTime(boot.agent)]);
}

/** A clock is late by as much as the time took on its way, which many copies on few processors make long; so it may be said again. */
async function setPresentTime(agent: Boot["agent"]): Promise<void> {
  for (let tries = 1; tries <= CLOCK_TRIES; tries++) {
    const now = Date.now();
    await agent.setClock(new Date(now));
    if (Date.now() - now <= LATE_MS) return;
  }
}
