import { constants } from "node:os";

/** The name of a signal by its number; the guests are Linux machines, as is every host with numbers like these. */
export function signalName(number: number): string {
  for (const [name, value] of Object.entries(constants.signals)) {
    if (value === number) return name;
  }
  return `signal ${number}`;
}
