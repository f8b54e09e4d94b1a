import { type DerivationValue, derivation } from "#floe/derivation";
import { planBootEntries, type BootProgram, type System } from "#floe/system";

/** Packages and paths that images are made with. */
export interface ImageTools {
  /** Has `bin/bash`, `bin/python3` and the coreutils. */
  readonly seed: { toString(): string };
  /** Has mkfs.erofs, mke2fs and debugfs. */
  readonly "image-tools": { toString(): string };
  /** Has mkfs.fat and the mtools. */
  readonly "fat-tools": { toString(): string };
  /** The packages of the platform that builds; util-linux has sfdisk. */
  readonly native: {
    readonly platform: { readonly system: string };
    readonly "util-linux": { toString(): string };
  };
}

export interface ImageOptions {
  /** The machine's name. */
  readonly name: string;
  readonly pkgs: ImageTools;
  /** What the machine can boot, generation 1 first. */
  readonly toplevels: readonly { toString(): string }[];
}

// Fixed, as everything in an image: equal contents give equal images.
const STORE_UUID = "5d0f0a2e-1f6c-4e61-8f6e-0d7f10e00001";
const ROOT_UUID = "5d0f0a2e-1f6c-4e61-8f6e-0d7f10e00002";
const RECORDED_UUID = "5d0f0a2e-1f6c-4e61-8f6e-0d7f10e00004";
const HASH_SEED = "5d0f0a2e-1f6c-4e61-8f6e-0d7f10e00003";

/** Kept in MiB. What machines write goes here; most of it is never touched and costs nothing. */
const ROOT_SIZE_MIB = 256;

/**
 * A read-only image of the closures of all generations: the lower layer of the machine's store.
 *
 * Shape: erofs without compression, whose root has the store objects by name. Uncompressed, because an emulated processor
 * takes longer to unpack than the disk to read.
 */
export function makeStoreImage(options: ImageOptions): DerivationValue {
  return image("store", options, {
    uuid: STORE_UUID,
    script: `
# The sandbox's store holds the closure and the tools of this build: leaving out the latter saves copying the former.
paths | sed 's,.*/,,' > wanted
ls "$NIX_STORE" | grep -vxFf wanted | sed 's/^/--exclude-path=/' > unwanted || true
echo "$(wc -l < wanted) store objects"
mapfile -t excludes < unwanted
mkfs.erofs -T1 -U "$uuid" --all-root -x-1 "\${excludes[@]}" --exclude-path="\${out##*/}" "$out" "$NIX_STORE"
`,
  });
}

/**
 * The root disk of a new machine: an ext4 file system with the system profile, which names generation 1, and the
 * registration of the store image's objects (\`nix-store --load-db\` reads it) in /nix/var/nix/path-registration.
 *
 * Shape: a sparse raw image of ${ROOT_SIZE_MIB} MiB.
 */
export function makeRootImage(options: ImageOptions): DerivationValue {
  return image("root", options, {
    uuid: ROOT_UUID,
    seedOfHash: HASH_SEED,
    size: `${ROOT_SIZE_MIB}M`,
    first: `${options.toplevels[0]}`,
    script: `
registration > registration
export E2FSPROGS_FAKE_TIME=1
truncate -s "$size" "$out"
mke2fs -q -F -t ext4 -b 4096 -i 16384 -m 0 -J size=8 -U "$uuid" -E "hash_seed=$seedOfHash,root_owner=0:0" "$out"
# Written from the inside, so that owners and times are those of the image and not those of the build.
cat > commands << END
mkdir nix
mkdir nix/var
mkdir nix/var/nix
mkdir nix/var/nix/profiles
symlink nix/var/nix/profiles/system system-1-link
symlink nix/var/nix/profiles/system-1-link $first
write registration nix/var/nix/path-registration
set_inode_field nix/var/nix/path-registration mode 0100444
END
debugfs -w -f commands "$out" > /dev/null 2> words
sed -i '/^debugfs /d' words
[ ! -s words ] || { cat words; exit 1; }
e2fsck -f -n "$out"
`,
  });
}

const RECORDED_SIZE_MIB = 96;

/**
 * The recorded disk of a new machine: an empty ext4 file system.
 *
 * Shape: a sparse raw image of ${RECORDED_SIZE_MIB} MiB.
 */
export function makeRecordedImage(options: ImageOptions): DerivationValue {
  return image("recorded", options, {
    uuid: RECORDED_UUID,
    seedOfHash: HASH_SEED,
    size: `${RECORDED_SIZE_MIB}M`,
    script: `
export E2FSPROGS_FAKE_TIME=1
truncate -s "$size" "$out"
mke2fs -q -F -t ext4 -b 4096 -i 4096 -m 0 -J size=4 -U "$uuid" -E "hash_seed=$seedOfHash,root_owner=0:0,lazy_itable_init=0,lazy_journal_init=0" "$out"
e2fsck -f -n "$out"
`,
  });
}

const BOOT_DISK_UUID = "5d0f0a2e-1f6c-4e61-8f6e-0d7f10e00005";
const BOOT_UUID = "5d0f0a2e-1f6c-4e61-8f6e-0d7f10e00006";
const BOOT_VOLUME = "F10E0007";
const BOOT_SIZE_MIB = 96;

/**
 * The disk that UEFI starts a new machine from: an EFI system partition as the commit of generation 1 leaves it, but for its date.
 *
 * Shape: a sparse raw image of ${BOOT_SIZE_MIB} MiB with a GPT of one partition, FAT32.
 */
export function makeBootImage(options: ImageOptions, system: System): DerivationValue {
  const { enable, copyKernels, limit } = system.config.boot.loader.entries;
  const { kernel, initrd, kernelParams, toplevel, config } = system;
  const spec = { kernel, initrd, init: `${toplevel}/init`, kernelParams, label: config.system.label };
  const plan = planBootEntries({
    generations: enable
      ? [{ number: 1, date: undefined, spec: { ...spec, system: config.system.platform, toplevel: `${toplevel}` } }]
      : [],
    defaultGeneration: 1,
    existing: [],
    timeoutSeconds: config.boot.loader.timeoutSeconds,
    limit,
    copyKernels,
    loader: bootProgramOf(system),
  });
  return image("boot", options, {
    disk: BOOT_DISK_UUID,
    uuid: BOOT_UUID,
    volume: BOOT_VOLUME,
    sizeMiB: `${BOOT_SIZE_MIB}`,
    moreTools: `${options.pkgs["fat-tools"]}/bin:${options.pkgs.native["util-linux"]}/bin`,
    files: { ...Object.fromEntries(plan.copies), ...Object.fromEntries(plan.programs) },
    texts: { ...Object.fromEntries(plan.entries), "loader/loader.conf": plan.loaderConf },
    script: `
export PATH=$PATH:$moreTools GCONV_PATH=$seed/lib/x86_64-linux-gnu/gconv
for path in "\${!files[@]}"; do install -D -m 644 "\${files[$path]}" "tree/$path"; done
for path in "\${!texts[@]}"; do mkdir -p "tree/\${path%/*}"; printf %s "\${texts[$path]}" > "tree/$path"; done
find tree -exec touch -h -d 1980-01-01T00:00:00Z {} +
# The partition lies between the two tables, on whole mebibytes.
truncate -s "$((sizeMiB - 2))M" partition
mkfs.fat -F 32 -i "$volume" -n BOOT --invariant partition
export MTOOLSRC=/dev/null SOURCE_DATE_EPOCH=315532800 TZ=UTC
(cd tree; find . -mindepth 1 -type d | sort) | while read -r folder; do mmd -i partition "::\${folder#./}"; done
(cd tree; find . -type f | sort) | while read -r file; do mcopy -m -i partition "tree/$file" "::\${file#./}"; done
fsck.fat -n partition
truncate -s "\${sizeMiB}M" "$out"
printf 'label: gpt\nlabel-id: %s\nstart=1MiB, size=%sMiB, type=U, uuid=%s, name=boot\n' "$disk" "$((sizeMiB - 2))" "$uuid" | sfdisk -q "$out"
dd if=partition of="$out" bs=1M seek=1 conv=notrunc,sparse status=none
`,
  });
}

/** The loader that a system puts into /boot, in the words of its own switch. */
function bootProgramOf({ config }: System): BootProgram | undefined {
  const text = config.environment.etc["floe/boot-loader.json"]?.text ?? "{}";
  return (JSON.parse(text) as { loader?: BootProgram }).loader;
}

/** Python, because the graph is a list of objects, which bash's part of the attributes leaves out. */
const GRAPH = `
import json, os, sys
graph = json.load(open(os.environ["NIX_ATTRS_JSON_FILE"]))["closure"]
for entry in graph:
    if sys.argv[1] == "paths":
        print(entry["path"])
    else:
        references = entry["references"]
        print(entry["path"], entry["narHash"], entry["narSize"], "", len(references), *references, sep="\\n")
`;

const BUILD = `source "$NIX_ATTRS_SH_FILE"
out=\${outputs[out]}
export PATH=$tools/bin:$tools/sbin:$seed/bin
paths() { python3 -c "$graph" paths; }
registration() { python3 -c "$graph" registration; }
eval "set -eu; $script"
`;

function image(
  kind: string,
  { name, pkgs, toplevels }: ImageOptions,
  variables: Readonly<Record<string, string | Readonly<Record<string, string>>>>,
): DerivationValue {
  return derivation({
    name: `${name}-${kind}.img`,
    system: pkgs.native.platform.system,
    builder: `${pkgs.seed}/bin/bash`,
    args: ["-euc", BUILD],
    structuredAttrs: {
      ...variables,
      graph: GRAPH,
      seed: `${pkgs.seed}`,
      tools: `${pkgs["image-tools"]}`,
      exportReferencesGraph: { closure: toplevels.map((toplevel) => `${toplevel}`) },
    },
  });
}
