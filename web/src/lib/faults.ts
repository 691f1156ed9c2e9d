/** Faults that the server found, by the fields of a form. */

/** Where a fault is, below the object: `schedules.office.periods[0]` and `schedule.periods[0]` are `periods[0]`. */
export function fieldOf(path: string, prefixes: string[]): string {
  for (const prefix of prefixes) {
    if (path === prefix) return ''
    if (path.startsWith(`${prefix}.`)) return path.slice(prefix.length + 1)
  }
  return path
}

/** What stands at the fields of a form, and what concerns none of them. */
export class FieldFaults {
  private readonly byField = new Map<string, string[]>()

  add(field: string, message: string): void {
    this.byField.set(field, [...(this.byField.get(field) ?? []), message])
  }

  /** The faults of a field, those of the places within it included. */
  of(field: string): string {
    const texts: string[] = []
    for (const [path, messages] of this.byField) {
      if (path === field || path.startsWith(`${field}.`) || path.startsWith(`${field}[`)) texts.push(...messages)
    }
    return texts.join(' ')
  }

  /** The faults of a field itself, without those of the places within it. */
  exactly(field: string): string {
    return (this.byField.get(field) ?? []).join(' ')
  }

  /** The faults of none of these fields. */
  besides(fields: string[]): string[] {
    return [...this.byField].filter(([path]) => !fields.some((f) => path === f || path.startsWith(`${f}.`) || path.startsWith(`${f}[`))).flatMap(([, messages]) => messages)
  }

  get size(): number {
    return this.byField.size
  }
}

export function collectFaults(faults: { path: string; message: string }[], prefixes: string[]): FieldFaults {
  const all = new FieldFaults()
  for (const { path, message } of faults) all.add(fieldOf(path, prefixes), message)
  return all
}
