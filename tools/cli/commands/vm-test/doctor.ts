import { examineHost, type HostExamination } from "../../../../vm-tests/driver/index.ts";
import type { CliContext } from "../../context.ts";
import type { DoctorFlags } from "./index.ts";

/** Where a verdict comes from, in words. */
const SOURCES = { probe: "found out now", cache: "known from before", rule: "nothing to find out" } as const;

/** `floe vm-test doctor`: how machines run on this host, and why so. */
export default async function doctor(this: CliContext, flags: DoctorFlags): Promise<void> {
  const found = await examineHost({ reprobe: flags.reprobe, searchPath: this.env["PATH"] });
  if (flags.json) this.printJson(found);
  else for (const each of found) for (const line of show(each)) this.print(line);
  if (found.every(({ qemu }) => qemu === undefined)) this.exitWith(1);
}

function show({ architecture, qemu, accelerator, copies, forks }: HostExamination): string[] {
  if (qemu === undefined || accelerator === undefined || copies === undefined)
    return [`${architecture}: no machines, because there is no qemu-system-${architecture}`];
  return [
    `${architecture}: QEMU ${qemu.version}, ${qemu.program}`,
    `  accelerator  ${accelerator.name} (${SOURCES[accelerator.source]}): ${accelerator.reason}`,
    `  copies       ${copies.method}: ${copies.reason}`,
    ...(forks === undefined ? [] : [`  forks        ${forks.usable ? "yes" : "no"}: ${forks.reason}`]),
    ...(accelerator.reason.includes("may not open")
      ? [`  to change it ${'echo \'KERNEL=="kvm", GROUP="kvm", MODE="0666"\' > /etc/udev/rules.d/99-kvm.rules'}`]
      : []),
  ];
}
