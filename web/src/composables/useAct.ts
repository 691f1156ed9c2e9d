import { ref } from 'vue'
import { useNotices } from './useNotices'
import { useProblem } from './useProblem'

/** Says what failed as a notice: the problem in the reader's language, and what the server adds to it. */
export function useTell(): (error: unknown) => void {
  const notices = useNotices()
  const problem = useProblem()
  return (error) => {
    const { title, detail } = problem(error)
    notices.failed(detail === '' ? title : `${title}: ${detail}`)
  }
}

/** What a button asks of the server: `busy` while it is under way; where it fails a notice says so, and the answer is false. */
export function useAct() {
  const tell = useTell()
  const busy = ref(false)

  async function act(task: () => Promise<void>): Promise<boolean> {
    busy.value = true
    try {
      await task()
      return true
    } catch (error) {
      tell(error)
      return false
    } finally {
      busy.value = false
    }
  }

  return { busy, act }
}
