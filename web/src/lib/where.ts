/** Where something of the file stands, as the server says it. */
export interface Where {
  file?: string
  line?: number
}

/** Where an object of the file stands, as `dayshift.yaml:12`; empty for one of the store. */
export function whereText(where: Where | undefined): string {
  if (!where?.file) return ''
  return where.line ? `${where.file}:${where.line}` : where.file
}
