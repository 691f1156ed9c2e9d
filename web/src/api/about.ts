import { request } from './client'

/** What this program is. The version is for those who are signed in. */
export interface About {
  name: string
  license: string
  version?: { version: string; commit?: string; date?: string; go: string; platform: string }
  links: { title: string; url: string }[] | null
}

export const getAbout = (signal?: AbortSignal): Promise<About> => request('GET', '/about', { signal })
