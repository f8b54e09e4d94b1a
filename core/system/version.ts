/** The version of Floe, as recorded in systems. */
export const FLOE_VERSION = "0.1.0";
