/** What an element may hold: text, members in their order, or the same element several times. Undefined is left out. */
export type XmlContent =
  | string
  | number
  | boolean
  | undefined
  | readonly XmlContent[]
  | { readonly [member: string]: XmlContent };

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

/** XML 1.0 cannot carry most control characters; S3 writes them as references all the same, and so do we. */
const escapeText = (text: string) =>
  text.replace(/[&<>"\p{Cc}\ufffe\uffff]/gu, (c) => ENTITIES[c] ?? `&#x${c.charCodeAt(0).toString(16)};`);

export function xmlElement(name: string, content: XmlContent, attributes = ''): string {
  if (content === undefined) return '';
  if (Array.isArray(content)) return content.map((item) => xmlElement(name, item)).join('');
  const inner =
    typeof content === 'object'
      ? Object.entries(content)
          .map(([member, value]) => xmlElement(member, value))
          .join('')
      : escapeText(String(content));
  return `<${name}${attributes}>${inner}</${name}>`;
}

export const xmlDocument = (root: string) => `<?xml version="1.0" encoding="UTF-8"?>\n${root}`;
