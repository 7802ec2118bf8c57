"""How a face is painted: shapes from the back to the front, and a soft light on skin, hair, cloth and background."""

import numpy as np

from dragoman.worlds.drawing import Canvas, Colour, Points, curve, ellipse, hsv, mix, moved, pixels, stroke, times
from dragoman.worlds.faces.person import HAIR, Face

SKIN = ((0.065, 0.27, 0.98), (0.07, 0.45, 0.80), (0.06, 0.54, 0.50))
IRIS = ((0.06, 0.85, 0.40), (0.57, 0.85, 0.98), (0.34, 0.80, 0.66))
CLOTHES = ((0.99, 0.70, 0.74), (0.60, 0.62, 0.72), (0.40, 0.60, 0.52), (0.12, 0.06, 0.60))
BACKGROUNDS = ((0.56, 0.32, 0.95), (0.12, 0.20, 0.95), (0.36, 0.30, 0.72), (0.80, 0.18, 0.66))
HAIR_COLOURS = {"black_hair": (0.66, 0.16, 0.15), "blond_hair": (0.125, 0.56, 0.93), "brown_hair": (0.06, 0.62, 0.37)}
GINGER = (0.045, 0.82, 0.80)
INK = (0.10, 0.07, 0.07)
GREY = (0.75, 0.75, 0.76)
SIDES = (-1, 1)


def paint(face: Face, size: int) -> np.ndarray:
    """The picture of a face, [size, size, 3] uint8."""
    return _Portrait(face, size).image()


class _Portrait:
    """A face on a canvas. Coordinates are shares of the image's side, x to the right, y down."""

    def __init__(self, face: Face, size: int):
        self.face, self.size = face, size
        # a second trait from each number: the digits that the first one does not show
        self.v = v = [*face.identity, *((97.3 * t) % 1 for t in face.identity)]
        self.canvas = Canvas(size)
        self.male, self.young = face["male"], face["young"]
        shape = face["face_shape"]  # oval, round, square
        self.cx, self.cy = 0.5 + 0.02 * (v[0] - 0.5), 0.525 + 0.02 * (v[1] - 0.5)
        self.width = (0.186, 0.232, 0.208)[shape] * (0.97 + 0.06 * v[2])
        self.height = (0.288, 0.246, 0.262)[shape] * (0.98 + 0.04 * v[3])
        self.turn = (face["pose"] - 1) * 0.033
        self.fx = self.cx + self.turn  # the middle of the features
        self.top, self.chin = self.cy - self.height, self.cy + self.height
        self.eye_row, self.tip = self.cy - 0.025, self.cy + 0.072 + 0.012 * v[13]
        self.lips = self.cy + 0.57 * self.height
        self.apart = (0.077, 0.102)[face["eye_spacing"]]
        h, s, b = SKIN[face["skin"]]
        fresh = hsv(h + 0.012 * (v[4] - 0.5), s * (0.94 + 0.12 * v[20]), b * (0.97 + 0.05 * v[5]))
        self.skin = fresh if self.young else mix(times(fresh, 0.95), (0.62, 0.60, 0.60), 0.16)
        self.line = times(self.skin, (0.74, 0.66, 0.64))
        own = next((name for name in HAIR if face[name]), None)
        h, s, b = HAIR_COLOURS[own] if own else GINGER
        pure = hsv(h + 0.01 * (v[22] - 0.5), s, b * (0.93 + 0.14 * v[6]))
        self.hair = pure if self.young else mix(pure, GREY, 0.14)
        self.part = self.cx + (self.v[14] - 0.5) * 0.6 * self.width
        self.cap = [self.cx, self.cy - 0.02, self.width + 0.034, self.height + 0.022 + 0.014 * self.v[25]]  # of hair

    def image(self) -> np.ndarray:
        self.background()
        self.hair_behind()
        self.body()
        self.head()
        self.age()
        self.nose()
        self.mouth()
        self.moustache()
        self.eyes()
        self.hair_in_front()
        self.hat()
        self.brows()
        self.eyeglasses()
        self.earrings()
        return self.canvas.image(self.light())

    def fill(self, points: np.ndarray, colour: Colour, material: str = "") -> None:
        self.canvas.fill(points, colour, material)

    def stroke(self, points: Points, width: float, colour: Colour, material: str = "", taper: float = 0.6) -> None:
        self.canvas.fill(stroke(points, width, taper), colour, material)

    def mirrored(self, right: Points) -> np.ndarray:
        """A curve through points given as distances from the middle of the head, from the right side to the left."""
        return np.concatenate([moved(right, self.cx), moved(right, self.cx, mirror=True)[::-1]])

    def light(self) -> dict[str, tuple[np.ndarray, np.ndarray | float]]:
        """Depends on the person and, on skin and lips, on makeup; never on another attribute."""
        at = pixels(self.size)
        x, y = at[None, :], at[:, None]
        u, w = (x - self.cx) / self.width, (y - self.cy) / self.height
        round_ = np.sqrt(np.maximum(1.25 - u * u - w * w, 0))  # from the upper left, on a ball
        skin = np.clip(0.34 * (0.82 * round_ - 0.28 * u - 0.34 * w) - 0.24, -0.30, 0.10)
        glow = 0.9 if self.face["makeup"] else 0.32
        left, right = (self.fx + side * 0.55 * self.width for side in SIDES)
        nearest = np.minimum(np.abs(x - left), np.abs(x - right)) / 0.075
        cheeks = np.maximum(1 - nearest**2 - ((y - self.tip) / 0.058) ** 2, 0) ** 2
        skin = skin[..., None] + np.float32(glow) * cheeks[..., None] * np.array((0.02, -0.34, -0.26), np.float32)
        fall = np.maximum(y - self.top + 0.10, 0.03)
        strand = (x - self.part) / (fall + 0.10)
        waves = 0.55 * np.sin(31 * strand + 6 * self.v[9]) + 0.45 * np.sin(67 * strand + 9 * fall + 6 * self.v[8])
        ring = (x - self.cap[0] + 0.03) ** 2 / self.cap[2] ** 2 + (y - self.cap[1]) ** 2 / self.cap[3] ** 2
        shine = np.maximum(1 - ((ring - 0.86) / 0.24) ** 2, 0) ** 2 * (y < self.cy)
        hair = 0.10 * waves - 0.42 * np.clip(y - self.top - 0.1, 0, 1)
        gloss = shine * (26 + 8 * waves) * np.clip(1.1 - (x - self.cx + 0.2) * 2, 0.1, 1)
        cloth = -0.9 * np.abs(x - self.cx + 0.05) ** 1.5 - 0.05 + 0.05 * np.sin(24 * (x - self.cx) * (1.6 - y))
        back = 0.05 - 0.30 * ((x - 0.35) ** 2 + (y - 0.25) ** 2)
        hat = np.clip(0.16 - 1.1 * np.abs(x - self.cx + 0.06), -0.30, 0.16) + 0 * y
        neck = -0.5 * np.abs(x - self.cx + 0.03) + 0 * y
        return {"skin": (skin, 0.0), "hair": (hair, gloss), "cloth": (cloth, 0.0), "back": (back, 0.0),
                "hat": (hat, 0.0), "neck": (neck, 0.0)}  # fmt: skip

    def background(self) -> None:
        kind = self.face["background"]
        h, s, b = BACKGROUNDS[kind]
        b *= 0.95 + 0.1 * self.v[7]
        base, other = hsv(h, s, b), hsv(h, s, b * 0.87)
        self.fill(np.array([[0, 0], [1, 0], [1, 1], [0, 1]]), base, "back")
        shift = self.v[8] / 8
        if kind == 0:  # clouds
            for k, (x, y) in enumerate(((0.12, 0.13), (0.86, 0.22), (0.10, 0.46), (0.93, 0.55), (0.52, 0.05))):
                x, y, r = x + shift * (1 - 2 * (k % 2)), y + 0.5 * shift, 0.045 + 0.012 * (k % 3)
                self.fill(ellipse(x, y, 2.1 * r, 0.5 * r), hsv(h, 0.06, 1), "back")
                self.fill(ellipse(x - 0.4 * r, y - 0.4 * r, r, 0.7 * r), hsv(h, 0.06, 1), "back")
                self.fill(ellipse(x + 0.7 * r, y - 0.25 * r, 0.7 * r, 0.5 * r), hsv(h, 0.06, 1), "back")
        elif kind == 1:  # wallpaper
            for k in range(9):
                t = k / 8 + shift - 0.06
                self.fill(np.array([[t, 0], [t + 0.05, 0], [t + 0.05, 1], [t, 1]]), other, "back")
        elif kind == 2:  # leaves
            for k in range(12):
                x, y = (0.03, 0.19, 0.80, 0.95)[k % 4] + 0.5 * shift, 0.06 + 0.30 * (k // 4) + 0.13 * (k % 2) + shift
                lean = 0.05 * (1 - 2 * (k % 2))
                tip, root = [x + lean, y - 0.09], [x - lean, y + 0.09]
                leaf = curve([tip, [x + 0.05, y + 0.02], root, [x - 0.05, y - 0.02]], closed=True)
                self.fill(leaf, other if k % 3 else hsv(h + 0.03, s, b * 0.94), "back")
                self.stroke([tip, root], 0.007, base, "back")
        else:  # bricks
            for k in range(9):
                y = k / 8 + shift - 0.06
                self.fill(np.array([[0, y], [1, y], [1, y + 0.012], [0, y + 0.012]]), other, "back")
                for i in range(5):
                    x = 0.25 * i + 0.125 * (k % 2) + 0.03
                    self.fill(np.array([[x, y], [x + 0.012, y], [x + 0.012, y + 0.125], [x, y + 0.125]]), other, "back")

    def hair_behind(self) -> None:
        """Long hair of women around the shoulders; short hair of men behind the ears."""
        cx, cy, w, h = self.cap
        crown = ellipse(cx, cy, w, h, start=np.pi, stop=2 * np.pi)
        if self.male:
            nape = [[cx + w * 0.97, cy + 0.04], [cx + w * 0.80, cy + 0.08], [cx - w * 0.80, cy + 0.08],
                    [cx - w * 0.97, cy + 0.04]]  # fmt: skip
            self.fill(np.concatenate([crown, nape]), times(self.hair, 0.80), "hair")
            return
        fall, wide = self.chin + 0.005 + 0.07 * self.v[9], w + 0.03 + 0.015 * self.v[24]
        side = curve([[w, cy], [w + 0.012, cy + 0.07], [wide, cy + 0.17], [wide + 0.008, fall - 0.04],
                      [wide - 0.035, fall + 0.012], [0.60 * w, fall - 0.01]])  # fmt: skip
        self.fill(np.concatenate([crown, self.mirrored(side)]), self.hair, "hair")
        inner = times(self.hair, 0.72)  # in the shadow of the head
        low = min(fall - 0.015, self.chin + 0.05)
        self.fill(self.mirrored([[0.80 * w, cy], [0.86 * w, low - 0.03], [0.70 * w, low]]), inner, "hair")

    def body(self) -> None:
        """Neck, shoulders and collar."""
        h, s, b = CLOTHES[self.face["clothes"]]
        cloth = hsv(h, s, b * (0.92 + 0.16 * self.v[10]))
        trim = times(cloth, 0.62)
        wide, neck = 0.355 + 0.055 * self.male, self.width * 0.42 + 0.022 * self.male
        y = self.chin
        base = min(y + 0.055, 0.875)
        slope = [[neck + 0.012, base - 0.025], [neck + 0.07, base + 0.005], [wide * 0.78, base + 0.05],
                 [wide * 0.96, base + 0.115], [wide * 1.03, 1.05]]  # fmt: skip
        self.fill(self.mirrored(curve(slope)), cloth, "cloth")
        throat = self.mirrored(curve([[neck, self.cy + 0.1], [neck * 0.96, y], [neck + 0.012, base - 0.005]]))
        if self.face["collar"]:  # a V
            deep = base + 0.105
            edge = self.mirrored([[neck + 0.03, base - 0.028], [0.0, deep]])
            self.fill(edge, self.skin, "neck")
            self.fill(throat, self.skin, "neck")
            for side in SIDES:
                self.stroke([[self.cx + side * (neck + 0.03), base - 0.03], [self.cx, deep + 0.004]], 0.022, trim,
                            "cloth", taper=0)  # fmt: skip
        else:  # round
            rim = ellipse(self.cx, base - 0.012, neck + 0.034, 0.036, start=0, stop=np.pi)
            self.fill(rim, self.skin, "neck")
            self.fill(throat, self.skin, "neck")
            self.stroke(rim, 0.024, trim, "cloth", taper=0.2)
        under = times(self.skin, (0.80, 0.73, 0.72))
        shadow = curve([[neck, self.cy + 0.1], [neck * 0.97, y + 0.01], [0.0, y + 0.036]])
        self.fill(self.mirrored(shadow), under, "neck")

    def head(self) -> None:
        """Ears and the outline of the face: oval, round or square; of men with a broader jaw."""
        inner = times(self.skin, (0.82, 0.72, 0.70))
        for side in SIDES:
            if side * self.turn <= 0:  # the ear towards which the head turns is hidden
                x, y = self.cx + side * (self.width + (0.008 if self.turn else 0.002)), self.cy + 0.012
                self.fill(ellipse(x, y, 0.027, 0.046), times(self.skin, 0.95), "neck")
                self.fill(ellipse(x + side * 0.003, y, 0.013, 0.028), inner, "neck")
        w, h, cx, cy = self.width, self.height, self.cx, self.cy
        shape, jaw = self.face["face_shape"], 0.055 * self.male
        cheek, corner, chin, low = (
            (0.94, 0.68, 0.33, 0.68), (0.97, 0.80, 0.44, 0.66), (0.985, 0.90, 0.60, 0.70),
        )[shape]  # fmt: skip
        right = np.array([
            (0, -1), (0.52, -0.90), (0.88, -0.56), (1, -0.10), (cheek + 0.4 * jaw, 0.30), (corner + jaw, low),
            (chin + jaw, 0.93), (0, 1),
        ])  # fmt: skip
        ring = np.concatenate([right, moved(right[-2:0:-1], mirror=True)])
        self.fill(moved(curve(ring, closed=True) * np.array((w, h)), cx, cy), self.skin, "skin")

    def eyes(self) -> None:
        tall = 0.028 + 0.004 * self.v[11]
        iris, made_up = hsv(*IRIS[self.face["eye_colour"]]), self.face["makeup"]
        for x, side, wide in self.eye_places():
            y = self.eye_row
            half = 0.049 * wide
            upper = curve([[x + half, y + 0.002], [x + 0.5 * half, y - 0.82 * tall], [x - 0.4 * half, y - 0.9 * tall],
                           [x - half, y + 0.006]][::side])  # fmt: skip
            if made_up:
                shade = hsv(0.74 + 0.14 * self.v[12], 0.50, 0.62 if self.face["skin"] < 2 else 0.70)
                lid = curve([[x + side * 1.25 * half, y - 0.018], [x + side * 0.3 * half, y - 0.055],
                             [x - side * half, y - 0.010]])  # fmt: skip
                self.fill(np.concatenate([lid, [[x, y + 0.004]]]), shade)
            else:
                self.stroke(moved(upper, 0, -0.013), 0.006, self.line, "skin", taper=0.9)
            lower = curve([upper[-1], [x + (upper[-1, 0] - x) * 0.2, y + 0.88 * tall], upper[0]])
            self.fill(np.concatenate([upper, lower]), (0.97, 0.97, 0.96))
            look = x + 0.22 * self.turn
            self.fill(ellipse(look, y, 0.0285, min(0.0285, tall * 0.95)), times(iris, 0.72))
            self.fill(ellipse(look, y + 0.001, 0.0245, min(0.0245, tall * 0.84)), iris)
            self.fill(ellipse(look, y, 0.0090, 0.0095), (0.05, 0.04, 0.04))
            self.fill(ellipse(look - 0.010, y - 0.010, 0.005, 0.005), (1.0, 1.0, 1.0))
            self.stroke(upper, (0.010 if self.male else 0.013) + 0.005 * made_up, INK, taper=0.5)
            if not self.male:  # lashes
                end = x + side * half
                lash = [
                    [end - side * 0.010, y - 0.004],
                    [end + side * 0.006, y - 0.008],
                    [end + side * 0.016, y - 0.021],
                ]
                self.stroke(lash, 0.011, INK, taper=0.7)
            self.stroke(lower, 0.005 + 0.003 * made_up, INK if made_up else self.line, taper=0.8)

    def eye_places(self) -> list[tuple[float, int, float]]:
        """x of both eyes, which side they are on, and how wide they are seen."""
        return [(self.fx + s * self.apart, s, 0.88 if s * self.turn > 0 else 1.0) for s in SIDES]

    def nose(self) -> None:
        """Small: a short ridge; broad: a wedge between the cheeks."""
        x, y = self.fx + 0.30 * self.turn, self.tip
        lean = 1 if self.turn >= 0 else -1
        light, dark = mix(self.skin, (1.0, 0.96, 0.90), 0.22), times(self.skin, (0.50, 0.40, 0.38))
        if self.face["nose"]:
            w, shade = 0.068, times(self.skin, (0.62, 0.50, 0.47))
            side = curve(
                [[0.018, self.eye_row + 0.025], [0.62 * w, y - 0.032], [1.04 * w, y - 0.002], [0.6 * w, y + 0.020]]
            )
            sides = [moved(side, x), moved(side, x, mirror=True)]
            self.fill(np.concatenate([sides[0], sides[1][::-1]]), mix(self.skin, (0.74, 0.26, 0.20), 0.36), "skin")
            for edge in sides:
                self.stroke(edge, 0.014, shade, "skin", taper=0.5)
            self.fill(ellipse(x - 0.010, y - 0.014, 0.026, 0.018), light, "skin")
        else:
            w, shade = 0.018, self.line
            ridge = curve([[x - lean * 0.010, y - 0.050], [x - lean * 0.013, y - 0.03], [x - lean * w, y]])
            self.stroke(ridge, 0.008, self.line, "skin", taper=0.8)
        self.stroke(ellipse(x, y, w, 0.018, start=0.1, stop=np.pi - 0.1), 0.011, shade, "skin", taper=0.4)
        for s in SIDES:
            self.fill(ellipse(x + s * w * 0.50, y + 0.011, 0.006 + 0.10 * w, 0.0065), dark)

    def mouth(self) -> None:
        """Lips; a smile shows teeth and lifts corners and cheeks."""
        x, y = self.fx + 0.2 * self.turn, self.lips
        half = (0.042, 0.104)[self.face["mouth"]]
        natural = times(self.skin, (0.88, 0.68, 0.64) if self.male else (0.94, 0.60, 0.58))
        lips = hsv(0.965 + 0.03 * self.v[28], 0.84, 0.80) if self.face["makeup"] else natural
        full = 0.015 if self.male else 0.021
        left, right = [x - half, y], [x + half, y]
        if self.face["smiling"]:
            left, right = [x - 1.10 * half, y - 0.022], [x + 1.10 * half, y - 0.022]
            edge = curve([left, [x - 0.5 * half, y - 0.018], [x, y - 0.016], [x + 0.5 * half, y - 0.018], right])
            under = curve([right, [x + 0.62 * half, y + 0.018], [x, y + 0.036], [x - 0.62 * half, y + 0.018], left])
            self.fill(np.concatenate([moved(edge, 0, -0.5 * full), moved(under, 0, 0.55 * full)]), lips)
            self.fill(np.concatenate([edge, under]), (0.42, 0.08, 0.10))
            teeth = curve([right, [x + 0.6 * half, y + 0.007], [x, y + 0.019], [x - 0.6 * half, y + 0.007], left])
            self.fill(np.concatenate([edge, teeth]), (0.99, 0.985, 0.97))
            for side in SIDES:
                end = x + side * (1.10 * half + 0.010)
                fold = curve([[end - side * 0.006, y - 0.058], [end + side * 0.014, y - 0.03], [end + side * 0.004, y]])
                self.stroke(fold, 0.008, self.line, "skin", taper=0.8)
            return
        bow = curve([left, [x - 0.35 * half, y - full], [x, y - 0.62 * full], [x + 0.35 * half, y - full], right])
        low = y + 0.95 * full
        under = curve([right, [x + 0.5 * half, low], [x, y + 1.2 * full], [x - 0.5 * half, low], left])
        self.fill(np.concatenate([bow, under]), lips)
        self.stroke(curve([left, [x, y + 0.003], right]), 0.008, times(lips, 0.45), taper=0.7)
        low = y + 1.9 * full
        crease = curve([[x - 0.4 * half, low], [x, y + 2.2 * full], [x + 0.4 * half, low]])
        self.stroke(crease, 0.006, self.line, "skin")

    def moustache(self) -> None:
        if not self.face["moustache"]:
            return
        x, y = self.fx + 0.2 * self.turn, self.lips - 0.029
        colour = times(self.hair, (0.60, 0.50, 0.44))
        for side in SIDES:
            wing = curve([[0, -0.013], [0.026, -0.018], [0.056, 0.000], [0.080, -0.008], [0.068, 0.014], [0.038, 0.015],
                          [0, 0.008]], closed=True)  # fmt: skip
            self.fill(moved(wing, x, y, mirror=side < 0), colour, "hair")

    def age(self) -> None:
        """Lines, bags under the eyes and jowls of old age."""
        if self.young:
            return
        line = times(self.skin, (0.70, 0.64, 0.63))
        for x, side, wide in self.eye_places():
            bag = ellipse(x, self.eye_row + 0.025, 0.046 * wide, 0.024, start=0.25, stop=np.pi - 0.25)
            self.stroke(bag, 0.011, line, "skin")
            for k in (-1, 1):  # crow's feet
                start, y = x + side * 0.054, self.eye_row
                self.stroke([[start, y + 0.004 * k], [start + side * 0.026, y + 0.018 * k]], 0.008, line, "skin")
            x, y, w = self.cx + 0.8 * self.turn, self.lips, side * self.width
            fold = curve([[self.fx + side * 0.056, self.tip], [x + 0.44 * w, y - 0.04], [x + 0.50 * w, y + 0.015]])
            self.stroke(fold, 0.012, line, "skin", taper=0.8)
            x -= 0.3 * self.turn
            jowl = curve([[x + 0.42 * w, y + 0.030], [x + 0.47 * w, y + 0.047], [x + 0.40 * w, y + 0.064]])
            self.stroke(jowl, 0.009, line, "skin", taper=0.8)
        for k in range(3):  # forehead
            w, y = 0.105 - 0.012 * k, self.eye_row - 0.102 - 0.023 * k
            wrinkle = curve([[self.fx - w, y + 0.006], [self.fx, y - 0.004], [self.fx + w, y + 0.006]])
            self.stroke(wrinkle, 0.008, line, "skin")

    def hair_in_front(self) -> None:
        """The hair line, bangs over the forehead, and grey temples of old age."""
        cx, cy, w, h = self.cap
        crown = ellipse(cx, cy, w, h, start=np.pi, stop=2 * np.pi)
        inside = self.width
        high = self.eye_row - 0.170  # the hair line
        if self.male:
            right = [[inside + 0.012, self.cy + 0.012], [inside * 0.90, self.cy - 0.03],
                     [inside * 0.86, self.eye_row - 0.10], [inside * 0.70, high + 0.015]]  # fmt: skip
        else:
            right = [[inside + 0.020, self.cy + 0.02], [inside * 0.965, self.cy - 0.04],
                     [inside * 0.87, self.eye_row - 0.10], [inside * 0.55, high + 0.012]]  # fmt: skip
        p = self.part
        middle = [[p + 0.03, high - 0.020], [p, high - 0.034 + 0.02 * self.male], [p - 0.03, high - 0.018]]
        left = moved(right, cx, mirror=True)[::-1]
        line = np.concatenate([crown[-1:], curve(np.concatenate([moved(right, cx), middle, left])), crown[:1]])
        deep = times(self.skin, (0.70, 0.60, 0.58))
        self.fill(np.concatenate([crown, moved(line, 0, 0.010)]), deep, "skin")  # the shadow that it casts
        self.fill(np.concatenate([crown, line]), self.hair, "hair")
        dark = times(self.hair, 0.74)
        if not self.male:  # the parting
            rise = (p - cx) * 0.9
            parting = curve([[p, high - 0.03], [p - 0.3 * rise, cy - 0.85 * h], [cx - 0.2 * rise, cy - 0.97 * h]])
            self.stroke(parting, 0.008, dark, "hair", taper=0.8)
        if self.face["bangs"]:
            low, reach, locks = self.eye_row - 0.095, inside * 0.94, 6
            sweep = 0.012 * (1 if self.v[14] > 0.5 else -1)
            x = np.linspace(1, -1, 2 * locks + 1) * reach
            lift = 0.010 * (x / reach) ** 2
            notch = np.arange(2 * locks + 1) % 2 == 0
            tips = np.stack([cx + x + np.where(notch, 0, sweep), low + lift - np.where(notch, 0.024, 0)], 1)
            tips[0], tips[-1] = [cx + inside * 0.97, self.eye_row - 0.035], [cx - inside * 0.97, self.eye_row - 0.035]
            fringe = curve(tips, steps=3)
            arch = ellipse(cx, high - 0.01, inside * 0.95, 0.06, start=np.pi, stop=2 * np.pi)
            self.fill(np.concatenate([arch, moved(fringe, 0, 0.012)]), deep, "skin")
            self.fill(np.concatenate([arch, fringe]), self.hair, "hair")
            for tip in tips[2:-2:2]:
                lock = curve([[0.55 * tip[0] + 0.45 * p, high - 0.045], [0.8 * tip[0] + 0.2 * p, high + 0.01], tip])
                self.stroke(lock, 0.010, dark, "hair", taper=0.9)
        if not self.young:
            for side in SIDES:
                edge = cx + side * (inside * 0.99)
                lock = curve(
                    [
                        [edge + side * 0.012, self.cy],
                        [edge, self.cy - 0.045],
                        [edge - side * 0.006, self.eye_row - 0.085],
                    ]
                )
                self.stroke(lock, 0.016, mix(self.hair, GREY, 0.65), "hair", taper=0.9)

    def hat(self) -> None:
        """A cap with a peak or a knitted one. Bangs, temples and hair line stay below it."""
        kind = self.face["hat"]
        if not kind:
            return
        rim, w = self.eye_row - 0.160, self.cap[2] + 0.008
        top = self.cap[1] - self.cap[3] - 0.030
        cloth = hsv(self.v[15], 0.58, 0.70)
        dark = times(cloth, 0.68)
        if kind == 1:
            crown = ellipse(self.cx, rim, w * 0.98, rim - top, start=np.pi, stop=2 * np.pi, power=0.86)
            self.fill(crown, cloth, "hat")
            for k in (-0.38, 0.38):
                seam = curve([[0.4 * k * w, top + 0.012], [k * w, 0.5 * (rim + top)], [1.15 * k * w, rim]])
                self.stroke(moved(seam, self.cx), 0.006, dark, "hat", taper=0)
            self.fill(ellipse(self.cx, top + 0.004, 0.020, 0.010), dark, "hat")
            lean = 0.075 if self.turn >= 0 else -0.075
            peak = curve([[-1.06 * w, -0.012], [0, -0.034], [1.06 * w, -0.012], [0.95 * w, 0.020], [0, 0.006],
                          [-0.95 * w, 0.020]], closed=True)  # fmt: skip
            self.fill(moved(peak, self.cx + lean, rim), dark, "hat")
        else:
            crown = ellipse(self.cx, rim, w, rim - top + 0.012, start=np.pi, stop=2 * np.pi, power=0.9)
            self.fill(crown, cloth, "hat")
            self.fill(ellipse(self.cx, top - 0.020, 0.043, 0.040), (0.96, 0.95, 0.92))
            band = curve([[-1.04 * w, -0.045], [0, -0.058], [1.04 * w, -0.045], [1.05 * w, 0.012], [0, 0.0],
                          [-1.05 * w, 0.012]], closed=True)  # fmt: skip
            self.fill(moved(band, self.cx, rim), dark, "hat")
            for k in range(-4, 5):
                x = self.cx + k * 0.235 * w
                self.stroke([[x, rim - 0.05], [x, rim]], 0.007, times(cloth, 0.54), "hat", taper=0)

    def brows(self) -> None:
        colour = mix(times(self.hair, (0.56, 0.47, 0.41)), self.skin, 0.06)
        thick, tilt = (0.008, 0.036)[self.face["eyebrows"]], 0.010 * (self.v[27] - 0.5)
        for x, side, wide in self.eye_places():
            y = self.eye_row - 0.071
            inner, outer = x - side * 0.042 * wide, x + side * 0.052 * wide
            arch = curve([[inner, y + 0.007 - tilt], [x + side * 0.008, y - 0.007], [outer, y + 0.009 + tilt]])
            self.stroke(arch, thick, colour, "hair", taper=0.45)

    def eyeglasses(self) -> None:
        if not self.face["eyeglasses"]:
            return
        frame = ((0.07, 0.07, 0.09), (0.45, 0.10, 0.12), (0.12, 0.16, 0.45))[int(self.v[12] * 3)]
        power, y = (0.6 if self.v[13] < 0.5 else 0.95), self.eye_row + 0.010
        places = self.eye_places()
        for x, side, wide in places:
            half = 0.066 * wide
            ring = ellipse(x, y, half, 0.050, power=power)
            self.fill(np.concatenate([ring, ellipse(x, y, half - 0.011, 0.039, power=power)[::-1]]), frame)
            self.stroke([[x - 0.030, y - 0.012], [x - 0.018, y - 0.028]], 0.007, (1.0, 1.0, 1.0))
            edge = self.cx + side * self.width
            if side * (edge - x) > half:
                self.stroke([[x + side * (half - 0.004), y - 0.012], [edge, y - 0.020]], 0.013, frame, taper=0)
        (left, _, a), (right, _, b) = places
        bridge = curve(
            [[left + 0.062 * a, y - 0.008], [0.5 * (left + right), y - 0.018], [right - 0.062 * b, y - 0.008]]
        )
        self.stroke(bridge, 0.012, frame, taper=0)

    def earrings(self) -> None:
        if self.face["earrings"]:
            for side in SIDES:
                if side * self.turn <= 0:
                    x, y = self.cx + side * (self.width + 0.010), self.cy + 0.078
                    self.fill(ellipse(x, y, 0.022, 0.026), (0.72, 0.50, 0.05))
                    self.fill(ellipse(x - 0.003, y - 0.003, 0.018, 0.021), (1.0, 0.83, 0.20))
