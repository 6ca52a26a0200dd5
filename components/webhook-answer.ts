/** Messages of an API server that gets no answer from a webhook, as opposed to a webhook that refuses. */
const unreachable =
    /failed calling webhook|failed to call webhook|conversion webhook|no matches for kind|not found|connect|timed? ?out|ECONN|Unrecognized API version and kind|HTTP request failed/i;

/**
 * Classifies the answer to a dry-run creation: an operator's webhook answers some seconds after its pod is ready (its
 * certificate has to be injected, its endpoints to be programmed), or never, if a network policy blocks it.
 *
 * @param error message of the rejection; undefined when the object was admitted
 */
export function judgeAnswer(error: string | undefined): "admitted" | "refused" | "silent" {
    if (error === undefined || /already exists/i.test(error)) {
        return "admitted";
    }
    return /denied the request/i.test(error) || !unreachable.test(error) ? "refused" : "silent";
}
