#pragma once

#include <lucivox/base/random.h>
#include <lucivox/tomo/phantom/canvas.h>
#include <lucivox/tomo/phantom/chest.h>

// The layers of the picture, in the order in which they are painted.
namespace lucivox::phantom {

// Skin, fat and the muscles of the chest wall.
void paint_wall(Canvas& canvas, const Chest& chest, const Noise& noise, Random& random);
// Lung tissue, with what is denser (ground glass) and thinner (emphysema) than it should be.
void paint_lungs(Canvas& canvas, const Chest& chest, const Noise& noise, Random& random);
// The heart, great vessels, windpipe and gullet in their fat, and the liver below the lungs.
void paint_mediastinum(Canvas& canvas, const Chest& chest, const Mediastinum& mediastinum, const Noise& noise,
                       Random& random);
// Arteries with their bronchi, veins, fissures and nodules.
void paint_lung_trees(Canvas& canvas, const Chest& chest, const Mediastinum& mediastinum, const Noise& noise,
                      Random& random);
// Spine, ribs with their cartilage, sternum and shoulder blades.
void paint_bones(Canvas& canvas, const Chest& chest, const Mediastinum& mediastinum, const Noise& noise,
                 Random& random);
// The couch below the back, in some pictures.
void paint_table(Canvas& canvas, const Chest& chest, Random& random);

}  // namespace lucivox::phantom
