/**
 * A picture as somebody reads it best who has learned from print: grey, dark on light, and larger, since letters of a console are eight points wide.
 *
 * @param picture A raw portable pixmap, eight bits a colour, as QEMU's `screendump` writes it. Source: ppm(5).
 * @param times How much larger in each direction; between points it is smooth.
 * @returns a raw portable graymap. Source: pgm(5).
 * @throws {RangeError} when it is none.
 */
export function enlargePicture(picture: Buffer, times: number): Buffer {
  const { width, height, points } = readPixmap(picture);
  const grey = new Uint8Array(width * height);
  let sum = 0;
  for (let at = 0; at < grey.length; at++) {
    // Weights of brightness. Source: ITU-R BT.601.
    const value =
      0.299 * (points[3 * at] as number) +
      0.587 * (points[3 * at + 1] as number) +
      0.114 * (points[3 * at + 2] as number);
    grey[at] = value;
    sum += value;
  }
  const isDark = sum / grey.length < 128;
  const header = Buffer.from(`P5\n${width * times} ${height * times}\n255\n`, "latin1");
  const enlarged = Buffer.alloc(header.length + grey.length * times * times);
  header.copy(enlarged);
  let to = header.length;
  const columns = Array.from({ length: width * times }, (_, x) => between(x, times, width));
  for (let y = 0; y < height * times; y++) {
    const { first: top, second: bottom, share: down } = between(y, times, height);
    for (const { first, second, share } of columns) {
      const above = mix(grey[top * width + first], grey[top * width + second], share);
      const below = mix(grey[bottom * width + first], grey[bottom * width + second], share);
      const value = mix(above, below, down);
      enlarged[to++] = isDark ? 255 - value : value;
    }
  }
  return enlarged;
}

/** The two points that a place lies between, and how far it is from the first of them. */
interface Between {
  readonly first: number;
  readonly second: number;
  readonly share: number;
}

function between(place: number, times: number, count: number): Between {
  const at = Math.min(Math.max((place + 0.5) / times - 0.5, 0), count - 1);
  const first = Math.floor(at);
  return { first, second: Math.min(first + 1, count - 1), share: at - first };
}

function mix(first = 0, second = 0, share: number): number {
  return first * (1 - share) + second * share;
}

function readPixmap(picture: Buffer): { readonly width: number; readonly height: number; readonly points: Buffer } {
  const header = /^P6\s+(\d+)\s+(\d+)\s+255\s/.exec(picture.toString("latin1", 0, 64));
  const [width, height] = [Number(header?.[1]), Number(header?.[2])];
  const points = picture.subarray(header?.[0].length ?? 0);
  if (header === null || points.length !== 3 * width * height || points.length === 0)
    throw new RangeError("expected a raw portable pixmap of eight bits a colour");
  return { width, height, points };
}
