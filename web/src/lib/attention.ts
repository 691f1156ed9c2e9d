/** What is said of something whose name stands before it already: without that name and its colon. */
export function besideName(text: string, name: string | undefined): string {
  if (name === undefined || name === '' || !text.startsWith(name)) return text
  const rest = text.slice(name.length)
  const said = rest.replace(/^\s*[:：]\s*/, '')
  return said === rest ? text : said
}
