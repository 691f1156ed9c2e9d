/** Where an object of the file stands, as `dayshift.yaml:12`; empty for one of the store. */
export function whereText(where: { file?: string; line?: number } | undefined): string {
  if (!where?.file) return ''
  return where.line ? `${where.file}:${where.line}` : where.file
}
