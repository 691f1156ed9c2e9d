import { type Ref, onScopeDispose, ref } from 'vue'
import { useSession } from '@/stores/session'

/** The server's clock in milliseconds, fresh every second (twice a second where it is sped up). */
export function useNow(): Readonly<Ref<number>> {
  const session = useSession()
  const now = ref(session.now())
  let timer: ReturnType<typeof setTimeout>
  const tick = (): void => {
    now.value = session.now()
    timer = setTimeout(tick, session.speed > 1 ? 500 : 1_000)
  }
  tick()
  onScopeDispose(() => clearTimeout(timer))
  return now
}
