// The edge of a meter's disc: it turns as fast as an old meter's would at this power.

const TURNS_PER_KWH = 375;

export class Disc {
  constructor(strip) {
    this.still = matchMedia("(prefers-reduced-motion: reduce)");
    this.turning = strip.animate([{ transform: "translateX(-50%)" }, { transform: "translateX(0)" }], {
      duration: 1000,
      iterations: Infinity,
    });
    this.turning.pause();
    this.still.addEventListener("change", () => this.turn(this.kilowatt ?? 0));
  }

  turn(kilowatt) {
    this.kilowatt = kilowatt;
    if (this.still.matches || kilowatt === 0) {
      this.turning.pause();
      return;
    }
    this.turning.playbackRate = (kilowatt * TURNS_PER_KWH) / 3600;
    if (this.turning.playState !== "running") this.turning.play();
  }
}
