/** Of one attempt's output, this much is sent to the controller and kept there. */
export const LOG_CAP_BYTES = 4 * 1024 * 1024;
