/**
 * Text in lines that fit the terminal.
 * @module
 */

/** Before this width lines get so short that reading them is worse than scrolling sideways. */
const MIN_WIDTH = 16;

/** The columns of standard output; 80 where it is no terminal. */
export function terminalColumns(): number {
  try {
    return Deno.stdout.isTerminal() ? Deno.consoleSize().columns : 80;
  } catch {
    return 80;
  }
}

/** Lines of at most `width` characters, broken at blanks and behind commas; a longer word stays whole. */
export function wrapText(text: string, width: number): readonly string[] {
  const limit = Math.max(width, MIN_WIDTH);
  if (text.length <= limit) return [text.trimEnd()];
  const lines: string[] = [];
  let line = "";
  for (const piece of text.split(/(?<=[ ,])/)) {
    if (line !== "" && line.length + piece.trimEnd().length > limit) {
      lines.push(line.trimEnd());
      line = "";
    }
    line += piece;
  }
  return [...lines, line.trimEnd()];
}

/** One line, wrapped, with every line but the first indented. */
export function hangingLine(text: string, columns: number = terminalColumns()): string {
  const indent = "  ";
  return wrapText(text, columns - indent.length).join(`\n${indent}`);
}
