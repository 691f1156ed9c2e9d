/** The texts of a language's folder under the names of its files: `./en/fleet.json` is `fleet.…`. */
export function gather(files: Record<string, Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(files).map(([path, texts]) => [path.replace(/^.*\/|\.json$/g, ''), texts]),
  )
}
