/**
 * Where to go after signing in: a path of this page, or the overview. What a link brings along is not
 * trusted: another site (`https://…`, `//…`, `/\…`), a script, and the sign-in itself lead to the overview.
 */
export function returnPath(to: unknown): string {
  const path = typeof to === 'string' ? to : ''
  // Browsers read a backslash as a slash and drop control characters.
  if (!/^\/(?![/\\])[^\\\u0000-\u001f]*$/.test(path)) return '/'
  if (new URL(path, 'http://here.invalid').host !== 'here.invalid') return '/'
  return /^\/signin([/?#]|$)/.test(path) ? '/' : path
}
