import { describe, expect, it } from 'vitest'
import { effectScope } from 'vue'
import { useAsync } from './useAsync'

describe('useAsync', () => {
  it('goes from idle over loading to ready, and keeps the data while it repeats', async () => {
    let n = 0
    const { load, run } = useAsync(() => Promise.resolve(++n))
    expect(load.value.is).toBe('idle')
    const first = run()
    expect(load.value).toEqual({ is: 'loading', data: undefined })
    expect(await first).toBe(1)
    expect(load.value).toEqual({ is: 'ready', data: 1 })
    const second = run()
    expect(load.value).toEqual({ is: 'loading', data: 1 })
    await second
    expect(load.value.data).toBe(2)
  })

  it('ends in failed, with what was there, and does not throw', async () => {
    let fails = false
    const { load, run } = useAsync(() => (fails ? Promise.reject(new Error('no')) : Promise.resolve('yes')))
    await run()
    fails = true
    expect(await run()).toBeUndefined()
    expect(load.value).toMatchObject({ is: 'failed', data: 'yes', error: { message: 'no' } })
  })

  it('lets the last call win, whichever answer comes first', async () => {
    const answers: ((value: string) => void)[] = []
    const { load, run } = useAsync((_signal, _name: string) => new Promise<string>((resolve) => answers.push(resolve)))
    const old = run('old')
    const last = run('new')
    answers[1]?.('new')
    answers[0]?.('old')
    expect(await old).toBeUndefined()
    expect(await last).toBe('new')
    expect(load.value).toEqual({ is: 'ready', data: 'new' })
  })

  it('gives up when its component is left', () => {
    const scope = effectScope()
    let signal: AbortSignal | undefined
    scope.run(() => {
      const { run } = useAsync((s) => {
        signal = s
        return new Promise<void>(() => undefined)
      })
      void run()
    })
    scope.stop()
    expect(signal?.aborted).toBe(true)
  })
})
