/** How a state is drawn: see UiBadge. */
export type BadgeKind = 'running' | 'stopped' | 'moving' | 'bad' | 'warn' | 'good' | 'unknown'
