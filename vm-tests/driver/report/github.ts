import { relative } from "node:path";
import type { SourceLocation } from "../../../core/base/index.ts";

/** Something that continuous integration shows at a line of a file. */
export interface Annotation {
  readonly level: "error" | "warning";
  readonly title: string;
  /** The first line is the one that is seen first. */
  readonly message: string;
  readonly at?: SourceLocation | undefined;
}

/**
 * An annotation as GitHub reads it from a job's output, one line without its end. A place outside of the repository is left out.
 *
 * Shape: `::error file=vm-tests/web.ts,line=8,col=5,title=vm-test web::Cannot …`.
 *
 * @param repository Absolute path of the folder that the places count from.
 *
 * Source: GitHub's documentation, "Workflow commands"; the escapes are those of `@actions/core`.
 */
export function formatAnnotation({ level, title, message, at }: Annotation, repository: string): string {
  const path = at === undefined ? undefined : relative(repository, at.file);
  const isInside = path !== undefined && path !== "" && !path.startsWith("../") && !path.startsWith("/");
  const place = isInside ? [`file=${escapeProperty(path)}`, `line=${at?.line}`, `col=${at?.column}`] : [];
  return `::${level} ${[...place, `title=${escapeProperty(title)}`].join(",")}::${escapeData(message)}`;
}

function escapeData(text: string): string {
  return text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
}

function escapeProperty(text: string): string {
  return escapeData(text).replaceAll(":", "%3A").replaceAll(",", "%2C");
}
