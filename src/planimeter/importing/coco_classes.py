"""The classes of COCO, by the numbers that its annotations use (https://cocodataset.org)."""

_NAMES = """
person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, fire hydrant, -, stop sign,
parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant, bear, zebra, giraffe, -, backpack, umbrella, -, -,
handbag, tie, suitcase, frisbee, skis, snowboard, sports ball, kite, baseball bat, baseball glove, skateboard,
surfboard, tennis racket, bottle, -, wine glass, cup, fork, knife, spoon, bowl, banana, apple, sandwich, orange,
broccoli, carrot, hot dog, pizza, donut, cake, chair, couch, potted plant, bed, -, dining table, -, -, toilet, -, tv,
laptop, mouse, remote, keyboard, cell phone, microwave, oven, toaster, sink, refrigerator, -, book, clock, vase,
scissors, teddy bear, hair drier, toothbrush
"""
COCO_BY_NUMBER: dict[int, str] = {
    number: name
    for number, name in enumerate((entry.strip() for entry in _NAMES.split(",")), start=1)
    if name != "-"
}
"""80 classes with numbers from 1 to 90; ten numbers were never used."""
