import { test } from "uvu";
import * as assert from "uvu/assert";
import { macOf, makeArguments, platformOf } from "./index.ts";

const tiny = { name: "tiny", architecture: "x86_64", accelerator: "tcg", memoryMiB: 16, cpus: 1 } as const;

function after(args: readonly string[], flag: string): string | undefined {
  return args[args.indexOf(flag) + 1];
}

test("makeArguments() doubles commas and numbers disks, ports and sockets", () => {
  const args = makeArguments({
    ...tiny,
    control: "/run/a,b/0.sock",
    kernel: { image: "/k", initrd: "/i", commandLine: "root=/dev/vda quiet" },
    disks: [
      { file: "/d,0", format: "qcow2" },
      { file: "/d1", format: "raw", readOnly: true },
    ],
    ports: [{ name: "org.floe.agent.0", socket: "/s" }],
  });
  assert.ok(args.includes("socket,id=control,path=/run/a,,b/0.sock,server=off"));
  assert.ok(args.includes("if=none,id=disk0,file=/d,,0,format=qcow2,cache=unsafe,discard=unmap"));
  assert.ok(args.includes("if=none,id=disk1,file=/d1,format=raw,cache=unsafe,discard=unmap,read-only=on"));
  assert.ok(args.includes("virtserialport,bus=ports.0,chardev=port0,name=org.floe.agent.0"));
  assert.is(args[args.indexOf("-append") + 1], "root=/dev/vda quiet");
});

test("makeArguments() gives no kernel to a machine whose state is incoming", () => {
  const kernel = { image: "/k", initrd: "/i", commandLine: "quiet" };
  const args = makeArguments({ ...tiny, kernel, incoming: true });
  assert.equal(
    args.filter((word) => ["-kernel", "-append", "-initrd", "/k", "/i", "quiet"].includes(word)),
    [],
  );
});

test("makeArguments() puts memory into a file that is shared or private", () => {
  const args = makeArguments({ ...tiny, memoryFile: { file: "/r,am", shared: true }, incoming: true });
  assert.is(
    after(args, "-object"),
    "memory-backend-file,id=pc.ram,size=16M,mem-path=/r,,am,share=on,x-use-canonical-path-for-ramblock-id=off",
  );
  assert.is(after(args, "-machine"), "q35,hpet=on,memory-backend=pc.ram");
  assert.is(after(args, "-incoming"), "defer");
  const clone = makeArguments({ ...tiny, memoryFile: { file: "/ram", shared: false }, translationMiB: 64 });
  assert.match(after(clone, "-object") ?? "", "share=off,");
  assert.is(after(clone, "-accel"), "tcg,tb-size=64");
});

test("platformOf() has a shape for each architecture and accelerator", () => {
  assert.equal(platformOf("x86_64", "tcg"), {
    machine: "q35,hpet=on",
    cpu: "max",
    generationId: true,
    memoryName: "pc.ram",
  });
  assert.is(platformOf("x86_64", "kvm").cpu, "host");
  assert.equal(platformOf("aarch64", "tcg"), {
    machine: "virt,gic-version=3",
    cpu: "max,pauth-impdef=on,sve=off",
    generationId: false,
    memoryName: "mach-virt.ram",
  });
  const { machine, cpu } = platformOf("aarch64", "hvf");
  assert.equal([machine, cpu], ["virt,gic-version=max", "host"]);
});

test("a machine without a generation id has no such device, nor has one of ARM", () => {
  const has = (shape: Parameters<typeof makeArguments>[0]): boolean => makeArguments(shape).join().includes("vmgenid");
  assert.equal(
    [has(tiny), has({ ...tiny, withoutGenerationId: true }), has({ ...tiny, architecture: "aarch64" })],
    [true, false, false],
  );
});

test("a machine with a screen has a keyboard", () => {
  const screenOf = (architecture: "x86_64" | "aarch64"): string =>
    makeArguments({ ...tiny, architecture, screen: true }).join(" ");
  // A PC has its keyboard anyway.
  assert.match(screenOf("x86_64"), "-device VGA");
  assert.match(screenOf("aarch64"), "-device virtio-gpu-pci -device virtio-keyboard-pci");
  assert.not.match(makeArguments(tiny).join(), /gpu|keyboard|VGA/);
});

test("macOf() is local, and the same for the same digest", () => {
  assert.is(macOf(Uint8Array.of(1, 0xab, 3)), "52:54:00:01:ab:03");
});

test.run();
