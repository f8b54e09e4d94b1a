interface Page {
  readonly title: string;
  readonly text: string;
  readonly sum: string;
}

/** A page as HTML. */
export function render({ title, text, sum }: Page): string {
  return `<!doctype html>\n<title>${escape(title)}</title>\n<p>${escape(text.trim())}</p>\n<!-- sha256 ${sum} -->\n`;
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
