import { request } from './client'

/** Who asks, what they may do, and the clock of the server. */
export interface Me {
  anonymous: boolean
  id: string
  name: string
  role: string
  within: string
  via: string
  permissions: string[] | null
  now: string
  speed: number
  demo: boolean
  leader: boolean
  timezone: string
  sign_in: string[] | null
  oidc_name: string
}

export const getMe = (signal?: AbortSignal): Promise<Me> => request('GET', '/me', { signal })

export const signIn = (key: string): Promise<Me> => request('POST', '/session', { body: { key } })

export const signOut = (): Promise<void> => request('DELETE', '/session')
