import { optionValue } from "./option-value.ts";

/** Where the frames of a network card go. */
export type NicBackend =
  /** To whoever listens on a unix socket; each frame comes after its length (32 bits, big endian). QEMU 7.2 and later. */
  | { readonly kind: "stream"; readonly socket: string }
  /** From one unix socket to another, one datagram for each frame: a cable between two machines. QEMU 7.2 and later. */
  | { readonly kind: "cable"; readonly local: string; readonly remote: string }
  /** To a network QEMU plays by itself, with a way out to the host's; ports of the host lead into it. */
  | { readonly kind: "user"; readonly restricted?: boolean; readonly forwards?: readonly PortForward[] };

/** A TCP port of the host's loopback that leads to one of the guest. */
export interface PortForward {
  readonly hostPort: number;
  readonly guestPort: number;
}

/** One network card. */
export interface Nic {
  /** Names card and backend within the machine. */
  readonly id: string;
  /** `52:54:00:12:34:56`. */
  readonly mac: string;
  readonly backend: NicBackend;
}

/** The backend as `-netdev` and the QMP command `netdev_add` take it. */
export function netdevProperties({ id, backend }: Pick<Nic, "id" | "backend">): Record<string, unknown> {
  const common = { type: backend.kind === "cable" ? "dgram" : backend.kind, id };
  switch (backend.kind) {
    case "stream":
      return { ...common, server: false, addr: { type: "unix", path: backend.socket } };
    case "cable":
      return {
        ...common,
        local: { type: "unix", path: backend.local },
        remote: { type: "unix", path: backend.remote },
      };
    case "user":
      return {
        ...common,
        ...(backend.restricted === true ? { restrict: true } : {}),
        ...(backend.forwards === undefined
          ? {}
          : {
              hostfwd: backend.forwards.map(({ hostPort, guestPort }) => ({
                str: `tcp:127.0.0.1:${hostPort}-:${guestPort}`,
              })),
            }),
      };
  }
}

/** The card as `-device` and the QMP command `device_add` take it. Without its boot program, which nothing here asks for. */
export function nicProperties({ id, mac }: Nic, bus?: string): Record<string, unknown> {
  return {
    driver: "virtio-net-pci",
    id: `${id}-card`,
    netdev: id,
    mac,
    romfile: "",
    // A port has one place, which QEMU does not insist on by itself.
    ...(bus === undefined ? {} : { bus, addr: "0" }),
  };
}

/** Arguments for the cards a machine has from the start. */
export function nicArguments(nics: readonly Nic[]): string[] {
  return nics.flatMap((nic) => ["-netdev", JSON.stringify(netdevProperties(nic)), "-device", flat(nicProperties(nic))]);
}

function flat({ driver, ...rest }: Record<string, unknown>): string {
  return [driver, ...Object.entries(rest).map(([name, value]) => `${name}=${optionValue(String(value))}`)].join(",");
}

/** A locally administered address that is the same for the same text, and another for another one. */
export function macOf(digest: Uint8Array): string {
  const [a = 0, b = 0, c = 0] = digest;
  return ["52", "54", "00", ...[a, b, c].map((byte) => byte.toString(16).padStart(2, "0"))].join(":");
}
